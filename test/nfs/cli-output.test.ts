/** What `berth nfs` shows of what a server says, and of what goes wrong on this machine. */
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Progress } from "../../src/cli/nfs/progress.ts";
import { put } from "../../src/cli/nfs/put.ts";
import { silentLog } from "../../src/core/log.ts";
import { check, run, startTied } from "../../src/lab/guest/process.ts";
import { berthNfs, berthNfsCommand, urlOf } from "./berth-nfs.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

describe("berth nfs shows", () => {
  let server: Ganesha;
  let directory: string;
  before(async () => {
    const exports = [
      { name: "data" },
      { name: "small", sizeBytes: 2 ** 20 },
      { name: "kerberos", security: "krb5" },
    ] as const;
    server = await startGanesha({ exports });
    directory = server.directory("data");
  });
  after(async () => await server?.[Symbol.asyncDispose]());

  const url = (path: string, version = "4.1") => urlOf(server, path, version);

  test("names that a terminal would obey as they are written in a URL", async () => {
    await mkdir(`${directory}/names`);
    for (const name of ["a\u001b]0;pwn\u0007", "b\nc", "d\u009b", "e\u202etxt", "ü %41"]) {
      await writeFile(`${directory}/names/${name}`, "");
    }
    const shown = ["a%1B]0;pwn%07", "b%0Ac", "d%C2%9B", "e%E2%80%AEtxt", "ü %41"];
    const { stdout } = await berthNfs("ls", url("/names"));
    assert.deepEqual(stdout.trimEnd().split("\n").sort(), shown);
    const json = await berthNfs("ls", "--json", url("/names"));
    assert.doesNotMatch(json.stdout.replaceAll("\n", ""), /[\p{Cc}\u202e]/u);
    const names = json.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).name);
    assert.deepEqual(names.sort(), ["a\u001b]0;pwn\u0007", "b\nc", "d\u009b", "e\u202etxt", "ü %41"]);
    const { stdout: stat } = await berthNfs("stat", url("/names/b%0Ac"));
    assert.match(stat, / b%0Ac\n/);
    const { stderr } = await berthNfs("cat", url("/names/%C2%9Bmissing"));
    assert.match(stderr, /"%C2%9Bmissing"/);
  });

  test("where symbolic links lead, and says that they are no file", async () => {
    await mkdir(`${directory}/links`);
    await symlink("../no\nwhere", `${directory}/links/link`);
    await writeFile(`${directory}/links/file`, "");
    await chmod(`${directory}/links/file`, 0o4755);
    for (const version of ["3", "4.1"]) {
      const { stdout } = await berthNfs("ls", "-l", url("/links", version));
      assert.match(stdout, /^-rwsr-xr-x .* file\nlrwxrwxrwx .* link -> \.\.\/no%0Awhere\n$/);
      assert.match(
        (await berthNfs("stat", url("/links/link", version))).stdout,
        / link -> \.\.\/no%0Awhere\n/,
      );
      const described = await berthNfs("stat", "--json", url("/links/link", version));
      assert.equal(JSON.parse(described.stdout).target, "../no\nwhere");
      const read = await berthNfs("cat", url("/links/link", version));
      assert.deepEqual([read.exitCode, /is no regular file but a symlink/.test(read.stderr)], [2, true]);
    }
  });

  test("what is wrong with a local path, and nothing of a driver", async () => {
    const local = await berthNfs("put", directory, url("/put"));
    assert.deepEqual([local.exitCode, /it is a directory: name a file/.test(local.stderr)], [2, true]);
    assert.equal((await readdir(directory)).includes("put"), false);
    await writeFile(`${directory}/large`, Buffer.alloc(3_000_000));
    const small = server.directory("small");
    const full = await berthNfs("get", url("/large"), `${small}/copy`);
    assert.deepEqual(
      [full.exitCode, /local path .*small\/copy: ENOSPC/.test(full.stderr)],
      [1, true],
      full.stderr,
    );
    assert.deepEqual(await readdir(small), []);
    const dash = await berthNfs("get", url("/large"), "-");
    assert.deepEqual([dash.exitCode, /cat does/.test(dash.stderr)], [2, true]);
  });

  test("that SIGTERM ended it, by another exit code than Ctrl-C", async () => {
    const before = (await readdir(directory)).length;
    const command = await startTied(berthNfsCommand("put", "/dev/zero", url("/zero")), [
      "ignore",
      "pipe",
      "pipe",
    ]);
    const { stderr } = command.child;
    assert.ok(stderr !== null);
    const errors = Array.fromAsync(stderr);
    while ((await readdir(directory)).length === before) await delay(10);
    const { code } = await command.kill("SIGTERM");
    assert.deepEqual(
      [code, (await errors).join("")],
      [143, "berth: interrupted: the part that was there is removed\n"],
    );
    assert.equal((await readdir(directory)).length, before);
  });

  test("that it was ended before it had read anything", async () => {
    const before = await readdir(directory);
    await writeFile(`${server.directory("small")}/source`, "some bytes");
    const stop = new AbortController();
    const progress = new (class extends Progress {
      override begin(...what: Parameters<Progress["begin"]>): void {
        super.begin(...what);
        stop.abort();
      }
    })(false);
    const ended = put(
      `${server.directory("small")}/source`,
      url("/never"),
      { json: false },
      { signal: stop.signal, progress, log: silentLog },
    );
    await assert.rejects(ended, { message: "interrupted: the part that was there is removed" });
    assert.deepEqual(await readdir(directory), before);
  });

  test("all of a directory of which the server tells an entry only by name, and says why", async () => {
    const above = url("").replace("/srv/data", "/srv");
    const listed = await berthNfs("ls", above);
    assert.deepEqual([listed.exitCode, listed.stdout], [1, "data\nkerberos\nsmall\n"]);
    assert.match(listed.stderr, /^berth: .*"kerberos".*Kerberos.*\nberth: 1 entry could not be listed\n$/);
    const long = await berthNfs("ls", "-l", above);
    assert.match(long.stdout, /^drwx.* data\n\?{10} .* kerberos\ndrwx.* small\n$/);
    const lines = (await berthNfs("ls", "--json", above)).stdout.trim().split("\n");
    const names = lines.map((line) => JSON.parse(line).name).filter((name) => name !== undefined);
    assert.deepEqual(names, ["data", "kerberos", "small"]);
  });

  test("all of a directory that is too large to be put in order", async () => {
    await mkdir(`${directory}/wide`);
    const names = Array.from({ length: 10_500 }, (_, index) => `${index}`);
    await check(["sh", "-c", `cd "$1" && seq 0 10499 | xargs touch`, "sh", `${directory}/wide`]);
    for (const version of ["3", "4.1"]) {
      const { stdout } = await berthNfs("ls", url("/wide", version));
      assert.deepEqual(new Set(stdout.trimEnd().split("\n")), new Set(names));
      assert.equal(stdout.length, `${names.join("\n")}\n`.length, "each once");
    }
  });

  test("that a tree goes on in other file systems", async () => {
    const { exitCode, stdout } = await berthNfs("du", url("").replace("/srv/data", "/srv"));
    assert.equal(exitCode, 1); // because of Kerberos
    assert.match(stdout, /\nwithout what lies on other file systems, which begin at 2 entries\n$/);
  });

  test("one entry as one entry", async () => {
    await mkdir(`${directory}/one`);
    const { stdout } = await berthNfs("du", url("/one"));
    assert.match(stdout, /used by 1 entry \(/);
    assert.equal(
      (await run(berthNfsCommand("cp", "-r", url("/one"), url("/two")))).stdout.startsWith("1 entry copied"),
      true,
    );
  });
});
