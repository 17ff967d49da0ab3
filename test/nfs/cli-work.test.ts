/** `berth nfs` at long work: measured, shown, interrupted, and told to programs. */
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { run, startTied } from "../../src/lab/guest/process.ts";
import { berthNfs, berthNfsCommand, urlOf } from "./berth-nfs.ts";
import { startProxy } from "./faulty-proxy.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

describe("berth nfs", () => {
  let server: Ganesha;
  let directory: string;
  before(async () => {
    server = await startGanesha({
      exports: [
        { name: "data" },
        { name: "squashed", squash: "Root_Squash" },
        { name: "other", clients: ["192.0.2.1"] },
        { name: "secure", privilegedPort: true },
      ],
    });
    directory = server.directory("data");
  });
  after(async () => await server?.[Symbol.asyncDispose]());

  const url = (path: string, version = "4.1") => urlOf(server, path, version);

  /** Starts a command, and interrupts it as soon as something new stands in the export. */
  async function interruptWhenBegun(input: Buffer, ...args: string[]) {
    const command = await startTied(berthNfsCommand(...args), ["pipe", "pipe", "pipe"]);
    const { stdin, stdout, stderr } = command.child;
    assert.ok(stdin !== null && stdout !== null && stderr !== null);
    const texts = [Array.fromAsync(stdout), Array.fromAsync(stderr)];
    stdin.write(input);
    while ((await readdir(directory)).length === 0) await delay(10);
    const { code } = await command.kill("SIGINT");
    const [out = "", errors = ""] = (await Promise.all(texts)).map((chunks) => chunks.join(""));
    return { code, stdout: out, stderr: errors };
  }

  test("bench measures each kind of work, and leaves nothing", async () => {
    const args = ["--seconds", "0.1", "--size-mib", "2"];
    for (const version of ["3", "4.1"]) {
      const { exitCode, stdout, stderr } = await berthNfs("bench", ...args, "--json", url("", version));
      assert.equal(exitCode, 0, stderr);
      const lines = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      const steps = ["getattr, 1 in flight", "getattr, 64 in flight", "mkdir", "create, 4 KiB, durable"];
      const more = ["walk with attributes", "write and commit", "read", "remove"];
      assert.deepEqual(
        lines.map(({ step }) => step),
        [...steps, ...more],
      );
      assert.ok(
        lines.every(({ perSecond }) => perSecond > 0),
        stdout,
      );
      assert.deepEqual(await readdir(directory), []);
    }
    const { stdout } = await berthNfs("bench", ...args, url(""));
    assert.match(stdout, /by NFS 4\.1\n +a second +p50 ms +p99 ms\ngetattr, 1 in flight +\d+ +\d/);
  });

  test("bench refuses where it may not write, and says what to do", async () => {
    await chmod(server.directory("squashed"), 0o755);
    const refused = await berthNfs("bench", url("").replace("/srv/data", "/srv/squashed"));
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /bench writes, and may not here: .*root_squash\); or name another/);
    assert.deepEqual(await readdir(server.directory("squashed")), []);
    await writeFile(`${directory}/file`, "");
    assert.equal((await berthNfs("bench", url("/file"))).exitCode, 2);
    await rm(`${directory}/file`);
  });

  test("a benchmark that is interrupted removes what it made", async () => {
    const { code, stderr } = await interruptWhenBegun(Buffer.alloc(0), "bench", "--seconds", "60", url(""));
    assert.equal(code, 130, stderr);
    assert.match(
      stderr,
      /removing what the benchmark made\nberth: interrupted: nothing of the benchmark is left\n/,
    );
    assert.deepEqual(await readdir(directory), []);
  });

  test("standard input becomes a file of any length", async () => {
    const content = Buffer.alloc(5_000_001, "0123456789");
    const put = await run(berthNfsCommand("put", "--json", "-", url("/piped")), { input: content });
    assert.deepEqual([put.exitCode, JSON.parse(put.stdout)], [0, { sizeBytes: content.length }], put.stderr);
    assert.deepEqual(await readFile(`${directory}/piped`), content);
    const again = await run(berthNfsCommand("put", "-", url("/piped")), { input: "other" });
    assert.deepEqual([again.exitCode, (await readFile(`${directory}/piped`)).length], [1, content.length]);
    await rm(`${directory}/piped`);
  });

  test("a put that is interrupted leaves no half of a file, and says so", async () => {
    const { code, stderr } = await interruptWhenBegun(Buffer.alloc(100), "put", "-", url("/half"));
    assert.equal(code, 130, stderr);
    assert.match(stderr, /^berth: interrupted: the part that was there is removed\n$/);
    assert.deepEqual(await readdir(directory), []);
  });

  test("on a terminal long work has a bar with its rate and the time that is left", async () => {
    await writeFile(`${directory}/large`, "");
    await truncate(`${directory}/large`, 200 * 1024 * 1024);
    // Each answer takes its time: the work is long on any machine.
    await using slow = await startProxy({ host: server.address, port: server.nfsPort, delayMs: 100 });
    const { address, mountPort } = server;
    const large = urlOf({ address, nfsPort: slow.port, mountPort }, "/large", "4.1");
    const quoted = berthNfsCommand("get", large, "/dev/null/nowhere").map((word) => `'${word}'`);
    const local = `${directory}/../local-large`;
    const shown = quoted.join(" ").replace("/dev/null/nowhere", local);
    const { stdout } = await run(["script", "--quiet", "--return", "--command", shown, "/dev/null"]);
    assert.match(stdout, /\[#+-+\] \d+% {2}[\d.]+ [KM]iB of 200\.0 MiB, [\d.]+ [MG]iB\/s, \d+ s left/);
    assert.match(stdout, /200\.0 MiB read into/);
    await Promise.all([rm(local), rm(`${directory}/large`)]);
  });

  test("what could not be removed is told, the rest is gone, and the exit code says it", async () => {
    const squashed = `${server.directory("squashed")}/open`;
    await mkdir(`${squashed}/tree/locked`, { recursive: true });
    await writeFile(`${squashed}/tree/locked/file`, "");
    await writeFile(`${squashed}/tree/free`, "");
    await Promise.all([chmod(squashed, 0o777), chmod(`${squashed}/tree`, 0o777)]);
    const target = url("/open/tree").replace("/srv/data", "/srv/squashed");
    const removed = await berthNfs("rm", "-r", "--json", target);
    assert.equal(removed.exitCode, 1);
    const lines = removed.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.ok(
      lines.some(({ failure }) => failure?.code === "storage-access"),
      removed.stdout,
    );
    assert.match(lines.at(-1)?.error.message, /^1 entry could not be removed$/);
    assert.deepEqual(await readdir(`${squashed}/tree`), ["locked"]);
  });

  test("every command answers programs in JSON", async () => {
    const made = JSON.parse((await berthNfs("mkdir", "--json", url("/made"))).stdout);
    assert.equal(made.type, "directory");
    assert.deepEqual(JSON.parse((await berthNfs("mv", "--json", url("/made"), url("/moved"))).stdout), {
      moved: "made",
    });
    const copied = JSON.parse((await berthNfs("cp", "-r", "--json", url("/moved"), url("/copy"))).stdout);
    assert.equal(copied.entries, 1);
    const failed = JSON.parse((await berthNfs("mkdir", "--json", url("/moved"))).stdout);
    assert.equal(failed.error.code, "storage-exists");
    for (const name of ["moved", "copy"]) {
      assert.equal(JSON.parse((await berthNfs("rm", "-r", "--json", url(`/${name}`))).stdout).entries, 1);
    }
  });

  test("the exports are listed, and a refusal tells them", async () => {
    const { stdout } = await berthNfs("exports", url(""));
    assert.match(stdout, /^\/srv\/data {2}/m);
    const refused = await berthNfs("ping", url("").replace("/srv/data", "/srv/other"));
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /The server does not list this path; it exports \/srv\/data to everybody/);
  });

  test("an export that hides from the source port is named", async () => {
    const refused = await berthNfs("ping", `${url("").replace("/srv/data", "/srv/secure")}&sourcePort=any`);
    assert.match(
      refused.stderr,
      /exports \/srv\/secure to everybody: so it likely wants a source port below 1024/,
    );
  });

  test("a local path that is missing or taken is bad usage, and named", async () => {
    await writeFile(`${directory}/here`, "here");
    const missing = await berthNfs("put", "/nowhere/file", url("/new"));
    assert.deepEqual(
      [missing.exitCode, missing.stderr.includes("local path /nowhere/file: there is no such")],
      [2, true],
    );
    const taken = await berthNfs("get", url("/here"), `${directory}/here`);
    assert.deepEqual([taken.exitCode, taken.stderr.includes("is there already (EEXIST)")], [2, true]);
    assert.equal(await readFile(`${directory}/here`, "utf8"), "here");
  });

  test("help tells targets, examples and exit codes", async () => {
    const { stdout } = await berthNfs("--help");
    for (const words of [
      /sourcePort=auto\|any\|reserved/,
      /berth nfs ping nas:\/srv\/data/,
      /130 interrupted/,
    ]) {
      assert.match(stdout, words);
    }
  });
});
