import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { at } from "../../test/support/share-contract.ts";
import { scratchDirectory } from "../../tools/scratch.ts";
import { DirectoryShare } from "./directory-share.ts";

class Fixture implements AsyncDisposable {
  readonly root = scratchDirectory("looks");
  readonly share = new DirectoryShare({ name: "default", path: this.root });

  async [Symbol.asyncDispose](): Promise<void> {
    await this.share.close();
    rmSync(this.root, { recursive: true });
  }
}

test("reading a file does not change its inode, which would wait for the journal", async () => {
  await using fixture = new Fixture();
  const file = join(fixture.root, "file");
  writeFileSync(file, "content");
  utimesSync(file, 1, 2); // read before it was written last: "relatime" would note the next read
  await fixture.share.readFile(at("file"), 100);
  assert.equal(statSync(file).atimeMs, 1000);
});

test("another user's file is read, though only its owner may leave its inode as it is", async () => {
  await using fixture = new Fixture();
  chmodSync(fixture.root, 0o777);
  const script = `
    const { writeFileSync } = await import("node:fs");
    const { DirectoryShare } = await import(${JSON.stringify(import.meta.resolve("./directory-share.ts"))});
    writeFileSync("file", "content");
    if (process.getuid() === 0) {
      process.setgroups([]);
      process.setgid(65534);
      process.setuid(65534);
    }
    const share = new DirectoryShare({ name: "default", path: process.cwd() });
    console.log(Buffer.from(await share.readFile("file", 100)).toString());`;
  const printed = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: fixture.root,
    encoding: "utf8",
  });
  assert.equal(printed, "content\n");
});

test("every name of a directory is found, small or large", async () => {
  await using fixture = new Fixture();
  mkdirSync(join(fixture.root, "wide"));
  const names = Array.from({ length: 400 }, (_, index) => `name-${index}`).sort();
  for (const [index, name] of names.entries()) {
    writeFileSync(join(fixture.root, "wide", name), "");
    if (index > 2 && index < names.length - 1) continue;
    const listed = await Array.fromAsync(fixture.share.list(at("wide")), (entry) => entry.name);
    assert.deepEqual(listed.sort(), names.slice(0, index + 1));
  }
});
