import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  at,
  bytes,
  namesOf,
  rejectsWith,
  type ShareFixture,
  shareContract,
} from "../../test/support/share-contract.ts";
import { scratchDirectory } from "../../tools/scratch.ts";
import type { Clock } from "../core/clock.ts";
import { BerthError } from "../core/errors.ts";
import { DirectoryShare } from "./directory-share.ts";
import { shareRoot } from "./share-path.ts";

/** A share in a directory that also has a neighbour outside of it; all gone with `await using`. */
class Fixture implements ShareFixture, AsyncDisposable {
  readonly directory = scratchDirectory("share");
  readonly root = join(this.directory, "share");
  readonly share: DirectoryShare;

  constructor(clock?: Clock) {
    mkdirSync(this.root);
    this.share = new DirectoryShare({ name: "default", path: this.root, ...(clock && { clock }) });
  }

  /** Where a path of the share lies. */
  on(path: string): string {
    return join(this.root, path);
  }

  async makeSymlink(target: string, path: string): Promise<void> {
    symlinkSync(target, this.on(path));
  }

  async makeFifo(path: string): Promise<void> {
    execFileSync("mkfifo", [this.on(path)]);
  }

  async close(): Promise<void> {
    await this.share.close();
    // Not Node's rm: it knows no paths beyond 4096 bytes, and tests that fail may leave some.
    execFileSync("rm", ["-rf", this.directory]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Time that passes only while somebody sleeps, or when told. */
class FakeClock implements Clock {
  #nowMs = 1_000_000;

  nowMs(): number {
    return this.#nowMs;
  }

  async sleep(ms: number): Promise<void> {
    this.pass(ms);
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }
}

shareContract("a directory", async () => new Fixture());

describe("a symbolic link to a directory outside of the share", () => {
  const operations: Record<string, (share: DirectoryShare, link: string) => Promise<unknown>> = {
    "list as the last component": (share, link) => Array.fromAsync(share.list(at(link))),
    "setAttributes as the last component": (share, link) => share.setAttributes(at(link), { mode: 0o700 }),
    "space as the last component": (share, link) => share.space(at(link)),
    "stat on the way": (share, link) => share.stat(at(`${link}/secret`)),
    "readFile on the way": (share, link) => share.readFile(at(`${link}/secret`), 100),
    "createFile on the way": (share, link) => share.createFile(at(`${link}/new`), bytes("")),
    "makeDirectory on the way": (share, link) => share.makeDirectory(at(`${link}/new`), 0o755),
    "makeDirectory far below": (share, link) => share.makeDirectory(at(`${link}/deep/new`), 0o755),
    "setAttributes on the way": (share, link) => share.setAttributes(at(`${link}/deep`), { mode: 0o700 }),
    "rename out": (share, link) => share.rename(at("file"), at(`${link}/new`)),
    "rename in": (share, link) => share.rename(at(`${link}/secret`), at("new")),
    "link out": (share, link) => share.link(at("file"), at(`${link}/new`)),
    "link in": (share, link) => share.link(at(`${link}/secret`), at("new")),
    "removeFile on the way": (share, link) => share.removeFile(at(`${link}/secret`)),
    "removeDirectory on the way": (share, link) => share.removeDirectory(at(`${link}/deep`)),
    "removeTree on the way": (share, link) => share.removeTree(at(`${link}/deep`)),
  };

  for (const [title, operation] of Object.entries(operations)) {
    test(`is not followed by ${title}`, async () => {
      await using fixture = new Fixture();
      const outside = makeOutside(fixture);
      writeFileSync(fixture.on("file"), "");
      for (const target of [outside, "../outside"]) {
        await fixture.makeSymlink(target, "link");
        await rejectsWith(fixture.share, "storage-not-a-directory", "", operation(fixture.share, "link"));
        await fixture.share.removeFile(at("link"));
      }
      assert.deepEqual(readdirSync(fixture.root), ["file"]);
      checkOutside(outside);
    });
  }

  test("is removed with the tree that holds it, and what it leads to stays", async () => {
    await using fixture = new Fixture();
    const outside = makeOutside(fixture);
    mkdirSync(fixture.on("tree"));
    await fixture.makeSymlink(outside, "tree/directory");
    await fixture.makeSymlink(join(outside, "secret"), "tree/file");
    assert.deepEqual(await fixture.share.removeTree(at("tree")), { entries: 3 });
    checkOutside(outside);
  });

  test("that takes a directory's place while its tree is removed is not followed", async () => {
    await using fixture = new Fixture();
    const outside = makeOutside(fixture);
    const names = ["a", "b"];
    for (const name of names) {
      mkdirSync(fixture.on(`tree/${name}`), { recursive: true });
      writeFileSync(fixture.on(`tree/${name}/file`), "");
    }
    const swapOnce = (): void => {
      const next = names.find((name) => readdirSync(fixture.on(`tree/${name}`)).includes("file"));
      if (next === undefined || readdirSync(fixture.root).includes("aside")) return;
      renameSync(fixture.on(`tree/${next}`), fixture.on("aside"));
      symlinkSync(outside, fixture.on(`tree/${next}`));
    };
    await Promise.allSettled([fixture.share.removeTree(at("tree"), { onProgress: swapOnce })]);
    assert.deepEqual(readdirSync(fixture.on("aside")), ["file"]);
    checkOutside(outside);
    await fixture.share.removeTree(at("tree"));
    assert.deepEqual(readdirSync(fixture.root), ["aside"]);
    checkOutside(outside);
  });

  test("is no file to read, and its target stays unread", async () => {
    await using fixture = new Fixture();
    await fixture.makeSymlink(join(makeOutside(fixture), "secret"), "link");
    await rejectsWith(
      fixture.share,
      "storage-not-a-directory",
      "link",
      fixture.share.readFile(at("link"), 100),
    );
  });
});

function makeOutside({ directory }: Fixture): string {
  const outside = join(directory, "outside");
  mkdirSync(join(outside, "deep"), { recursive: true, mode: 0o755 });
  writeFileSync(join(outside, "secret"), "secret");
  return outside;
}

function checkOutside(outside: string): void {
  assert.deepEqual(readdirSync(outside).sort(), ["deep", "secret"]);
  assert.equal(readFileSync(join(outside, "secret"), "utf8"), "secret");
  assert.equal(statSync(outside).mode & 0o7777, 0o755);
  assert.equal(statSync(join(outside, "deep")).mode & 0o7777, 0o755);
}

describe("names", () => {
  const hostile = Buffer.from([0x2f, 0xff, 0xfe, 0x0a, 0x80]);

  test("that are not UTF-8 are left out of lists, those with newlines are not", async () => {
    await using fixture = new Fixture();
    writeFileSync(Buffer.concat([Buffer.from(fixture.root), hostile]), "");
    writeFileSync(fixture.on("two\nlines"), "");
    writeFileSync(fixture.on("größe"), "");
    assert.deepEqual(await namesOf(fixture.share), ["größe", "two\nlines"]);
    assert.equal((await fixture.share.stat(at("two\nlines"))).type, "file");
  });

  test("that are not UTF-8 are removed with their tree, of files and of directories", async () => {
    await using fixture = new Fixture();
    const tree = Buffer.from(fixture.on("tree"));
    const below = Buffer.concat([tree, hostile]);
    mkdirSync(below, { recursive: true });
    writeFileSync(Buffer.concat([below, hostile]), "");
    writeFileSync(Buffer.concat([tree, Buffer.from("/two\nlines")]), "");
    assert.deepEqual(await fixture.share.removeTree(at("tree")), { entries: 4 });
    assert.deepEqual(readdirSync(fixture.root), []);
  });
});

describe("removeTree", () => {
  test("removes a tree 1500 levels deep, whose path no system call takes, with few open files", async () => {
    await using fixture = new Fixture();
    const script = `for (let level = 0; level < 1500; level += 1) {
      fs.mkdirSync("level-of-a-deep-tree");
      process.chdir("level-of-a-deep-tree");
      fs.writeFileSync("file", "");
    }`;
    mkdirSync(fixture.on("tree"));
    execFileSync(process.execPath, ["-e", script], { cwd: fixture.on("tree") });
    const before = openFiles();
    let most = 0;
    const onProgress = () => {
      most = Math.max(most, openFiles() - before);
    };
    assert.deepEqual(await fixture.share.removeTree(at("tree"), { onProgress }), { entries: 3001 });
    assert.deepEqual(readdirSync(fixture.root), []);
    assert.ok(most < 100, `${most} files were open at a time`);
  });

  test("removes directories of any mode for their owner, who is not root", async () => {
    await using fixture = new Fixture();
    execFileSync("chmod", ["0777", fixture.directory, fixture.root]);
    const script = `
      const { mkdirSync, chmodSync, readdirSync, rmdirSync, writeFileSync } = await import("node:fs");
      const { DirectoryShare } = await import(${JSON.stringify(import.meta.resolve("./directory-share.ts"))});
      if (process.getuid() === 0) {
        process.setgroups([]);
        process.setgid(65534);
        process.setuid(65534);
      }
      for (const mode of ["0000", "0100", "0300", "0400", "0555"]) {
        mkdirSync("tree/" + mode + "/below", { recursive: true });
        writeFileSync("tree/" + mode + "/file", "");
        chmodSync("tree/" + mode, Number.parseInt(mode, 8));
      }
      try {
        rmdirSync("tree/0555/below");
        throw new Error("modes do not hold this user");
      } catch (reason) {
        if (reason.code !== "EACCES") throw reason;
      }
      chmodSync("tree", 0);
      const share = new DirectoryShare({ name: "default", path: process.cwd() });
      const { entries } = await share.removeTree("tree");
      console.log(JSON.stringify({ entries, left: readdirSync(".") }));`;
    const printed = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: fixture.root,
      encoding: "utf8",
    });
    assert.deepEqual(JSON.parse(printed), { entries: 16, left: [] });
  });

  test("removes sockets, which are nothing to read", async () => {
    await using fixture = new Fixture();
    mkdirSync(fixture.on("tree"));
    const server = createServer().listen(fixture.on("tree/socket"));
    await once(server, "listening");
    try {
      assert.equal((await fixture.share.stat(at("tree/socket"))).type, "other");
      const reading = fixture.share.readFile(at("tree/socket"), 10);
      await rejectsWith(fixture.share, "storage-unsupported", "tree/socket", reading);
      assert.deepEqual(await fixture.share.removeTree(at("tree")), { entries: 2 });
    } finally {
      server.close();
    }
  });

  test("stops when its signal fires, and goes on when it is run again", async () => {
    await using fixture = new Fixture();
    makeFiles(fixture, 200);
    const controller = new AbortController();
    const removal = fixture.share.removeTree(at("tree"), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await assert.rejects(removal, (reason) => BerthError.from(reason).code === "cancelled");
    const left = readdirSync(fixture.on("tree")).length;
    assert.ok(left > 0 && left < 200, `${left} files are left of 200`);
    assert.deepEqual(await fixture.share.removeTree(at("tree")), { entries: left + 1 });
    assert.deepEqual(readdirSync(fixture.root), []);
  });

  test("with a signal that fired before removes nothing", async () => {
    await using fixture = new Fixture();
    makeFiles(fixture, 3);
    await assert.rejects(fixture.share.removeTree(at("tree"), { signal: AbortSignal.abort() }));
    assert.equal(readdirSync(fixture.on("tree")).length, 3);
  });

  test("keeps to its pace", async () => {
    const clock = new FakeClock();
    await using fixture = new Fixture(clock);
    makeFiles(fixture, 500);
    const startedMs = clock.nowMs();
    const beyond: number[] = [];
    await fixture.share.removeTree(at("tree"), {
      entriesPerSecondMax: 100,
      onProgress: ({ entries }) => beyond.push(entries - (clock.nowMs() - startedMs) / 10),
    });
    assert.ok(clock.nowMs() - startedMs >= 4900, "500 entries at 100 a second take 5 s");
    assert.ok(Math.max(...beyond) <= 32 + 1, "it was ahead by more than one batch");
  });

  test("sleeps not at all without a pace", async () => {
    const clock = new FakeClock();
    await using fixture = new Fixture(clock);
    makeFiles(fixture, 100);
    const startedMs = clock.nowMs();
    await fixture.share.removeTree(at("tree"));
    assert.equal(clock.nowMs(), startedMs);
  });
});

const openFiles = (): number => readdirSync("/proc/self/fd").length;

function makeFiles(fixture: Fixture, count: number): void {
  mkdirSync(fixture.on("tree"));
  for (let file = 0; file < count; file += 1) writeFileSync(fixture.on(`tree/file-${file}`), "");
}

describe("the directory of a share", () => {
  test("that is missing makes the share unavailable, for removeTree too", async () => {
    await using fixture = new Fixture();
    rmSync(fixture.root, { recursive: true });
    for (const operation of [
      fixture.share.stat(shareRoot),
      fixture.share.makeDirectory(at("a"), 0o755),
      fixture.share.removeTree(at("a")),
      Array.fromAsync(fixture.share.list(shareRoot)),
    ]) {
      await rejectsWith(fixture.share, "storage-unavailable", fixture.root, operation);
    }
  });

  test("that is deleted while the share is open makes it unavailable until it is there again", async () => {
    await using fixture = new Fixture(new FakeClock());
    await fixture.share.makeDirectory(at("a"), 0o755);
    rmSync(fixture.root, { recursive: true });
    const making = fixture.share.makeDirectory(at("a"), 0o755);
    await rejectsWith(fixture.share, "storage-unavailable", fixture.root, making);
    mkdirSync(fixture.root);
    await fixture.share.makeDirectory(at("a"), 0o755);
    assert.deepEqual(readdirSync(fixture.root), ["a"]);
  });

  test("that another replaces is found again after a second", async () => {
    const clock = new FakeClock();
    await using fixture = new Fixture(clock);
    await fixture.share.makeDirectory(at("old"), 0o755);
    renameSync(fixture.root, `${fixture.root}-aside`);
    mkdirSync(fixture.root);
    clock.pass(1000);
    await fixture.share.makeDirectory(at("new"), 0o755);
    assert.deepEqual(readdirSync(fixture.root), ["new"]);
    assert.deepEqual(readdirSync(`${fixture.root}-aside`), ["old"]);
  });

  test("is kept open no longer than the share", async () => {
    await using fixture = new Fixture();
    const before = openFiles();
    await fixture.share.makeDirectory(at("a"), 0o755);
    assert.ok(openFiles() > before);
    await fixture.share.close();
    assert.equal(openFiles(), before);
  });
});
