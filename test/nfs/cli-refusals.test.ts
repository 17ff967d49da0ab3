/** `berth nfs ping` and a person who was refused: the message says what is wrong, and not what is near it. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { run } from "../../src/lab/guest/process.ts";
import { berthNfs, berthNfsCommand, urlOf } from "./berth-nfs.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

const main = resolve(import.meta.dirname, "../../src/cli/main.ts");

describe("a refusal says", () => {
  let server: Ganesha;
  before(async () => {
    server = await startGanesha({ exports: [{ name: "data" }, { name: "only3", protocols: [3] }] });
  });
  after(async () => await server?.[Symbol.asyncDispose]());

  async function assertRefused(told: RegExp, ...args: string[]): Promise<void> {
    const { exitCode, stderr } = await berthNfs(...args);
    assert.equal(exitCode, 1, stderr);
    assert.match(stderr, told);
  }

  test("that the port is another program's, whichever version was asked for", async () => {
    const { address, mountPort } = server;
    const atMount = urlOf({ address, nfsPort: mountPort, mountPort }, "", "4.1");
    await assertRefused(
      /^berth: what listens on .* speaks RPC, but neither NFS 3 nor 4: is it/,
      "ping",
      atMount,
    );
    await assertRefused(
      /EXCHANGE_ID failed: the server does not offer NFS here: is the port right\?/,
      "ls",
      atMount,
    );
  });

  test("that MOUNT's port is another program's, or nobody's", async () => {
    const { address, nfsPort } = server;
    const atNfs = urlOf({ address, nfsPort, mountPort: nfsPort }, "", "3");
    await assertRefused(/MNT failed: the server does not offer MOUNT here: is the port right\?/, "ls", atNfs);
    const { exitCode, stderr } = await berthNfs("ls", urlOf({ address, nfsPort, mountPort: 1 }, "", "3"));
    assert.equal(exitCode, 3);
    assert.match(stderr, /^berth: [^ ]+: connecting to MOUNT failed: [^ ]+ refused the connection: nothing/);
  });

  test("that rpcbind is what is missing, and how to do without", async () => {
    // In a network of its own, where nothing listens.
    const listed = await run(["unshare", "--net", ...berthNfsCommand("exports", "127.0.0.1")]);
    assert.equal(listed.exitCode, 3, listed.stderr);
    assert.match(
      listed.stderr,
      /rpcbind tells the port of MOUNT.*start it, .*or give the port as mountPort\n$/,
    );
  });

  test("that an export is there, where the path is not, or not in this version", async () => {
    for (const version of ["3", "4.1"]) {
      const missing = urlOf(server, "/missing", version);
      await assertRefused(
        /exports \/srv\/data to everybody: it admits this machine, so what is missing lies below it/,
        "ping",
        missing,
      );
    }
    const only3 = urlOf(server, "", "4.1").replace("/srv/data", "/srv/only3");
    await assertRefused(/exports \/srv\/only3 to everybody: so perhaps for version 3 only/, "ping", only3);
  });
});

test("a path that is longer than MOUNT takes is found by every version", async () => {
  await using server = await startGanesha();
  const path = "/directory".repeat(300);
  await mkdir(`${server.directory("data")}${path}`, { recursive: true });
  await writeFile(`${server.directory("data")}${path}/file`, "");
  for (const version of ["3", "4.1"]) {
    const { stdout, stderr } = await berthNfs("ls", urlOf(server, path, version));
    assert.equal(stdout, "file\n", stderr);
  }
});

test("help to a reader that has gone ends as by SIGPIPE", async () => {
  const help = `'${process.execPath}' '${main}' nfs --help | true; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = await run(["bash", "-c", help]);
  assert.deepEqual([stdout, stderr], ["141\n", ""]);
});
