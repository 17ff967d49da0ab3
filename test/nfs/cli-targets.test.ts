/** `berth nfs` and what a target may name: nothing else than it says, and never an export's root. */
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import { run } from "../../src/lab/guest/process.ts";
import { berthNfs, berthNfsCommand, urlOf } from "./berth-nfs.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

const versions = ["3", "4.1"] as const;

describe("a target", () => {
  let server: Ganesha;
  let directory: string;
  let top: string;
  let tops = 0;
  before(async () => {
    server = await startGanesha({
      exports: [
        { name: "data" },
        { name: "locked", access: "RO" },
        { name: "squashed", squash: "Root_Squash" },
        { name: "priv", clients: ["192.0.2.1"] },
        { name: "secure", privilegedPort: true },
      ],
    });
  });
  after(async () => await server?.[Symbol.asyncDispose]());
  /** Each test has its own: the server remembers what was removed behind its back. */
  beforeEach(async () => {
    top = `top-${++tops}`;
    directory = `${server.directory("data")}/${top}`;
    await mkdir(`${directory}/proj/sub`, { recursive: true });
    await writeFile(`${directory}/proj/file`, "content");
  });

  const exported = (path: string, version = "4.1", name = "data") =>
    urlOf(server, path, version).replace("/srv/data", `/srv/${name}`);
  const url = (path: string, version?: string) => exported(`/${top}${path}`, version);
  /** Of the versions that the server offers, the best. */
  const anyVersion = (path: string, name?: string) => exported(path, "4.1", name).replace("version=4.1&", "");

  test("that a URL would fold or cut is refused, and nothing is removed", async () => {
    await mkdir(`${directory}/proj#1`);
    for (const path of ["/proj#1", "/proj/sub/..", "/proj/sub/%2e%2e", "/proj%00x", "/proj?"]) {
      const { exitCode, stderr } = await berthNfs("rm", "-r", url(path));
      assert.equal(exitCode, 2, path + stderr);
    }
    assert.deepEqual((await readdir(directory)).sort(), ["proj", "proj#1"]);
    assert.equal((await berthNfs("rm", "-r", url("/proj%231"))).exitCode, 0);
    assert.deepEqual(await readdir(directory), ["proj"]);
  });

  test("that is an export's root is not removed, renamed or replaced, in any version", async () => {
    for (const at of [...versions.map((version) => (path: string) => exported(path, version)), anyVersion]) {
      for (const args of [
        ["rm", "-r", at("")],
        ["rm", at("")],
        ["mv", at(""), at("/q")],
        ["mv", at(`/${top}/proj`), at("")],
        ["cp", "-r", "--resume", at(`/${top}/proj`), at("")],
        ["mkdir", at("")],
      ]) {
        const { exitCode, stderr } = await berthNfs(...args);
        assert.deepEqual([exitCode, /is the root of an export/.test(stderr)], [2, true], stderr);
      }
      assert.deepEqual((await readdir(`${directory}/proj`)).sort(), ["file", "sub"]);
      assert.deepEqual(await readdir(directory), ["proj"]);
    }
    assert.equal((await readdir(server.directory("data"))).includes("q"), false);
  });

  test("whose directory may not be changed keeps all below it", async () => {
    const squashed = server.directory("squashed");
    await mkdir(`${squashed}/tree`, { recursive: true });
    await writeFile(`${squashed}/tree/file`, "");
    await Promise.all([chmod(squashed, 0o755), chmod(`${squashed}/tree`, 0o777)]);
    for (const version of versions) {
      const { exitCode, stderr } = await berthNfs("rm", "-r", exported("/tree", version, "squashed"));
      assert.deepEqual([exitCode, /so nothing below it was/.test(stderr)], [1, true], stderr);
      assert.deepEqual(await readdir(`${squashed}/tree`), ["file"]);
    }
  });

  test("that is a file is listed by its name", async () => {
    for (const target of [
      ...versions.map((version) => url("/proj/file", version)),
      anyVersion(`/${top}/proj/file`),
    ]) {
      assert.equal((await berthNfs("ls", target)).stdout, "file\n");
      assert.match((await berthNfs("ls", "-l", target)).stdout, / file\n$/);
      assert.match((await berthNfs("stat", target)).stdout, / file\n/);
      assert.equal(JSON.parse((await berthNfs("ls", "--json", target)).stdout).name, "file");
    }
  });

  test("that is there already is made with -p, an export's root too; a file is not", async () => {
    for (const version of versions) {
      assert.equal((await berthNfs("mkdir", "-p", exported("", version))).exitCode, 0);
      assert.equal((await berthNfs("mkdir", "-p", url(`/proj/new-${version}/er`, version))).exitCode, 0);
      assert.equal((await berthNfs("mkdir", "-p", url("/proj/file", version))).exitCode, 1);
      assert.deepEqual(await readdir(`${directory}/proj/new-${version}`), ["er"]);
    }
  });

  test("in an export that hides from us is explained by every command", async () => {
    const nobody = `${exported("/x", "4.1", "secure")}&sourcePort=any`;
    for (const args of [
      ["ls", nobody],
      ["cat", nobody],
      ["mkdir", "-p", nobody],
      ["put", "/dev/null", nobody],
    ]) {
      const { exitCode, stderr } = await berthNfs(...args);
      assert.deepEqual([exitCode, /wants a source port below 1024/.test(stderr)], [1, true], stderr);
    }
    for (const target of [exported("/x", "4.1", "priv"), anyVersion("", "priv")]) {
      const { exitCode, stderr } = await berthNfs("ls", target);
      assert.deepEqual(
        [exitCode, /The server does not list this path; it exports \/srv\/data/.test(stderr)],
        [1, true],
        stderr,
      );
    }
    // Root without the capability: another user may read nothing of a checkout in root's home.
    const unprivileged = ["setpriv", "--bounding-set=-net_bind_service"];
    const denied = await run([...unprivileged, ...berthNfsCommand("ls", anyVersion("/x", "secure"))]);
    assert.match(
      denied.stderr,
      /may not use such a port.*CAP_NET_BIND_SERVICE.*exports \/srv\/secure.*likely wants a source port/,
    );
    const { stderr } = await berthNfs("cat", url("/missing"));
    assert.match(
      stderr,
      /^berth: [^ ]+: LOOKUP of "missing" failed with NOENT: there is no such file or directory\n$/,
    );
  });

  test("that wants a reserved port is told once, and to programs by ping", async () => {
    const target = anyVersion("", "secure");
    const { stdout, stderr } = await berthNfs("ls", target);
    assert.equal(stdout, "");
    assert.match(stderr, /^berth: .*: the server wants a source port below 1024, and has one now\n$/);
    const pinged = await berthNfs("ping", "--json", target);
    assert.deepEqual([pinged.exitCode, pinged.stderr], [0, ""]);
    assert.match(pinged.stdout, /from a source port below 1024, which the server wants/);
  });

  test("is pinged with what it admits, and nothing is tried there", async () => {
    for (const version of versions) {
      const access = async (path: string, name: string) => {
        const { exitCode, stdout, stderr } = await berthNfs("ping", exported(path, version, name));
        assert.equal(exitCode, 0, stderr);
        return stdout.split("\n").find((line) => line.startsWith("access")) ?? "";
      };
      assert.match(await access("", "data"), /uid 0 may read and write here$/);
      assert.match(await access("", "locked"), /uid 0 may read here, not write: it is read-only/);
      await chmod(server.directory("squashed"), 0o755);
      assert.match(await access("", "squashed"), /uid 0 may read here, not write.*root_squash\)$/);
      const other = await berthNfs("ping", `${exported("", version)}&uid=7&gid=8`);
      assert.match(other.stdout, /uid 7 may read here, not write: .*for its owner: \?uid=0&gid=0\n$/);
    }
  });

  test("whose name is no UTF-8 is told in hexadecimal, and named by its bytes", async () => {
    const touch = `cd "$1" && : > "$(printf 'a\\377')" && : > "$(printf 'a\\376')"`;
    await run(["sh", "-ec", touch, "sh", `${directory}/proj/sub`]);
    for (const version of versions) {
      const { stdout } = await berthNfs("ls", "--json", url("/proj/sub", version));
      const names = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
        .map(({ name, nameBytes }) => [name, nameBytes]);
      assert.deepEqual(names.sort(), [
        ["a%FE", "61fe"],
        ["a%FF", "61ff"],
      ]);
      const described = await berthNfs("stat", "--json", url("/proj/sub/a%FF", version));
      assert.equal(JSON.parse(described.stdout).type, "file");
    }
    assert.equal((await berthNfs("rm", url("/proj/sub/a%FF"))).exitCode, 0);
    assert.equal((await berthNfs("ls", url("/proj/sub"))).stdout, "a%FE\n");
  });

  test("that is taken is named by the refusal", async () => {
    await mkdir(`${directory}/taken`);
    for (const version of versions) {
      const file = await berthNfs("cp", url("/proj/file", version), url("/taken", version));
      assert.match(file.stderr, / of "taken" failed with EXIST/);
      const tree = await berthNfs("cp", "-r", url("/proj", version), url("/taken", version));
      assert.match(tree.stderr, / of "taken" failed with EXIST/);
    }
  });

  test("is written to a reader that goes away in silence", async () => {
    for (let index = 0; index < 3000; index++) await writeFile(`${directory}/proj/sub/${index}`, "");
    const quoted = (...args: string[]) =>
      berthNfsCommand(...args)
        .map((word) => `'${word}'`)
        .join(" ");
    const list = quoted("ls", "-l", url("/proj/sub"));
    const cut = await run(["bash", "-c", `${list} | head -c 1 >/dev/null; echo "\${PIPESTATUS[0]}"`]);
    assert.deepEqual([cut.stdout, cut.stderr], ["141\n", ""]);
    const full = await run(["bash", "-c", `${list} >/dev/full`]);
    assert.deepEqual(
      [full.exitCode, full.stderr.match(/^berth: standard output: ENOSPC.*\n$/) !== null],
      [1, true],
    );
    await writeFile(`${directory}/large`, Buffer.alloc(5_000_000));
    const cat = quoted("cat", url("/large"));
    const read = await run(["bash", "-c", `${cat} | head -c 10 >/dev/null; echo "\${PIPESTATUS[0]}"`]);
    assert.deepEqual([read.stdout, read.stderr], ["141\n", ""]);
  });
});
