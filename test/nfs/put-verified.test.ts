/** `berth nfs put` and `get` believe a server only what it has confirmed. */
import assert from "node:assert/strict";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, beforeEach, describe, test } from "node:test";
import { scratchDirectory } from "../../tools/scratch.ts";
import { berthNfs } from "./berth-nfs.ts";
import { directoryAttributes, HostileServer, procedure } from "./hostile-server.ts";
import { accepted, opaque, word } from "./lying-server.ts";

/** NFS3ERR_NOENT (RFC 1813 §2.6). */
const noEntry = 2;
/** The length that the server's attributes tell. */
const lengthBytes = 4096;
const fileAttributes = Buffer.concat([word(1), directoryAttributes.subarray(4)]);

describe("a server that loses what it was given", () => {
  let server: HostileServer;
  let local: string;
  before(async () => {
    local = scratchDirectory("put");
    await writeFile(join(local, "source"), Buffer.alloc(lengthBytes, "x"));
  });
  beforeEach(async () => {
    server = new HostileServer();
    await server.listen();
    server.answer(procedure.lookup, accepted(word(noEntry, 0)));
    server.answer(
      procedure.create,
      accepted(word(0, 1), opaque("file"), word(1), fileAttributes, word(0, 0)),
    );
    server.answer(procedure.write, accepted(word(0, 0, 0), word(lengthBytes, 0), word(1, 1)));
  });

  const url = (path: string) =>
    `nfs://127.0.0.1:${server.port}/srv/data${path}?version=3&mountPort=${server.port}&sourcePort=any`;

  /** COMMITs with another verifier than that of WRITE, so often; then with the same. */
  function restart(times: number): { commits: number } {
    const seen = { commits: 0 };
    server.answer(procedure.commit, (xid) => {
      seen.commits++;
      return accepted(word(0, 0, 0), seen.commits > times ? word(1, 1) : word(2, 2))(xid);
    });
    return seen;
  }

  test("is given it again, until COMMIT confirms what was written", async () => {
    await using _server = server;
    const seen = restart(2);
    const { exitCode, stdout, stderr } = await berthNfs("put", join(local, "source"), url("/new"));
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /4\.0 KiB written, and on the server's disk/);
    assert.equal(seen.commits, 3);
  });

  test("is told of when it goes on so, and no half of a file is left", async () => {
    await using _server = server;
    restart(Number.POSITIVE_INFINITY);
    let removals = 0;
    server.answer(procedure.remove, (xid) => {
      removals++;
      return accepted(word(0, 0, 0))(xid);
    });
    const { exitCode, stderr } = await berthNfs("put", join(local, "source"), url("/new"));
    assert.match(stderr, /the server restarted while the file was written/);
    assert.deepEqual([exitCode, removals], [3, 1]);
  });

  test("or ends a file before its length, gives no shorter file", async () => {
    await using _server = server;
    server.answer(procedure.getattr, accepted(word(0), fileAttributes)); // whatever is mounted is the file
    server.answer(procedure.read, accepted(word(0, 0, 0, 0), opaque("")));
    const target = join(local, "got");
    const { exitCode, stderr } = await berthNfs("get", url("/file"), target);
    assert.equal(exitCode, 1);
    assert.match(stderr, /the file ends at 0, before the length that it had/);
    await assert.rejects(access(target), { code: "ENOENT" });
  });
});
