/** Ctrl-C while the server makes what `berth nfs` has asked for, and has not yet said so: it is removed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bench } from "../../src/cli/nfs/bench.ts";
import { Progress } from "../../src/cli/nfs/progress.ts";
import { put } from "../../src/cli/nfs/put.ts";
import type { Work } from "../../src/cli/nfs/run.ts";
import { silentLog } from "../../src/core/log.ts";
import { directoryAttributes, HostileServer, procedure } from "./hostile-server.ts";
import { accepted, opaque, word } from "./lying-server.ts";

/** A new file or directory, as CREATE and MKDIR tell of it; of one that is there, as LOOKUP does. */
const made = accepted(word(0, 1), opaque("the new one"), word(0, 0, 0));
const found = accepted(word(0), opaque("the new one"), word(1), directoryAttributes, word(0));
const missing = accepted(word(2, 0));
const done = accepted(word(0, 0, 0));
const allRights = accepted(word(0, 0, 0x3f));
const emptyDirectory = accepted(word(0, 0, 0, 0, 0, 1));

interface Meeting {
  readonly server: HostileServer;
  readonly work: Work;
  readonly url: string;
}

/** A server that interrupts the command when it gets this call, before it answers. */
async function interruptedAt(number: number, command: (meeting: Meeting) => Promise<void>): Promise<void> {
  await using server = new HostileServer();
  await server.listen();
  const stop = new AbortController();
  server.answer(number, (xid) => {
    stop.abort();
    return made(xid);
  });
  const work = { signal: stop.signal, progress: new Progress(false), log: silentLog };
  const url = `nfs://127.0.0.1:${server.port}/srv/data/new?version=3&mountPort=${server.port}`;
  await command({ server, work, url });
}

/** The calls of a procedure that come, and are answered as done. */
function callsOf(server: HostileServer, number: number): () => number {
  let count = 0;
  server.answer(number, (xid) => {
    count += 1;
    return done(xid);
  });
  return () => count;
}

test("a put that is interrupted while its file is made removes it", async () => {
  await interruptedAt(procedure.create, async ({ server, work, url }) => {
    server.answer(procedure.lookup, missing);
    const removed = callsOf(server, procedure.remove);
    await assert.rejects(put(import.meta.filename, url, { json: true }, work), {
      message: "interrupted: the part that was there is removed",
    });
    assert.equal(removed(), 1);
  });
});

test("a benchmark that is interrupted while its directory is made removes it", async () => {
  await interruptedAt(procedure.mkdir, async ({ server, work, url }) => {
    server.answer(procedure.lookup, found);
    server.answer(procedure.access, allRights);
    server.answer(procedure.readdirplus, emptyDirectory);
    const removed = callsOf(server, procedure.rmdir);
    await assert.rejects(bench(url, { seconds: 60, sizeMib: 1, json: true }, work), {
      message: "interrupted: nothing of the benchmark is left",
    });
    assert.equal(removed(), 1);
  });
});
