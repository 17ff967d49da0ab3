/** NFS 4.1 sessions that the server ends, and leases: what the client does by itself, without a caller's help. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { after, afterEach, before, describe, test } from "node:test";
import { connectNfs, type NfsClient, NfsError } from "../../src/nfs/index.ts";
import { nfsLimits } from "../../src/nfs/limits.ts";
import { rpcLimits } from "../../src/rpc/limits.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";
import { HostileServer4, operation, sequenceResult, sessionOf } from "./hostile-server-4.ts";
import { accepted, word } from "./lying-server.ts";

/** RFC 8881 §15.1. */
const codes = { badsession: 10052, deadsession: 10078, staleClientid: 10022, seqMisordered: 10063 } as const;

describe("a server", () => {
  const server = new HostileServer4();
  let client: NfsClient;
  before(async () => {
    await server.listen();
    client = await connect();
  });
  afterEach(() => server.reset());
  after(async () => {
    await client?.close();
    await server[Symbol.asyncDispose]();
  });

  const connect = () =>
    connectNfs({
      ...{ host: "127.0.0.1", path: "/srv/data", sourcePort: "any", port: server.port },
      ...{ versions: ["4.1"], timeoutMs: 10_000 },
    });

  async function opened(): Promise<NfsClient & AsyncDisposable> {
    const made = await connect();
    return Object.assign(made, { [Symbol.asyncDispose]: () => made.close() });
  }

  for (const [name, code] of Object.entries(codes)) {
    test(`that answers ${name} once gets a new session, and every call that lost the old one is made again`, async () => {
      const sessions = server.count(operation.createSession);
      server.failNext(operation.sequence, code);
      const calls = Array.from({ length: 200 }, () => client.getattr(client.root.handle));
      for (const { type } of await Promise.all(calls)) assert.equal(type, "directory");
      assert.equal(server.count(operation.createSession), sessions + 1);
    });

    test(`that answers ${name} to a removal has not done it, and is asked again`, async () => {
      const removals = server.count(operation.remove);
      server.answer(operation.remove, word(1, 0, 0, 0, 0)); // change_info4
      server.failNext(operation.sequence, code);
      await client.remove(client.root.handle, "name");
      assert.equal(server.count(operation.remove), removals + 1);
    });
  }

  test("that is busy (DELAY) is asked again, later and later", async () => {
    const delay = 10008;
    const [reads, removals] = [server.count(operation.getattr), server.count(operation.remove)];
    server.answer(operation.remove, word(1, 0, 0, 0, 0));
    server.failNext(operation.getattr, delay, delay, delay);
    const startMs = performance.now();
    assert.equal((await client.getattr(client.root.handle)).type, "directory");
    assert.equal(server.count(operation.getattr), reads + 4);
    assert.ok(performance.now() - startMs > 350, "at least half of 100, 200 and 400 ms");
    server.failNext(operation.remove, delay);
    await client.remove(client.root.handle, "name");
    assert.equal(server.count(operation.remove), removals + 2);
    server.failNext(operation.sequence, delay);
    assert.equal((await client.getattr(client.root.handle)).type, "directory");
  });

  test("gets compounds that are as long as its session admits", async () => {
    const operations = 16;
    server.answer(operation.createSession, sessionOf(0, 65_536, 65_536, 4096, operations, 64));
    await using short = await opened();
    server.answer(operation.remove, word(1, 0, 0, 0, 0));
    const [compounds, removals] = [server.count(operation.sequence), server.count(operation.remove)];
    const names = Array.from({ length: 100 }, (_, index) => `name-${index}`);
    assert.equal((await short.removeMany(short.root.handle, names)).size, 0);
    assert.equal(server.count(operation.remove), removals + names.length);
    const removalsEach = operations - 2; // beside SEQUENCE and PUTFH
    assert.equal(server.count(operation.sequence), compounds + Math.ceil(names.length / removalsEach));
  });

  test("that forgets the client between EXCHANGE_ID and CREATE_SESSION is told of it anew", async () => {
    const { createSession, exchangeId, sequence } = operation;
    const exchanges = server.count(exchangeId);
    server.failNext(createSession, codes.staleClientid, codes.staleClientid);
    server.failNext(sequence, codes.deadsession);
    assert.equal((await client.getattr(client.root.handle)).type, "directory");
    assert.equal(server.count(exchangeId), exchanges + 3);
  });

  test("is called at least once in each lease by a client that has nothing to do", async (t) => {
    const leaseMs = 1000;
    server.leaseSeconds = leaseMs / 1000;
    const { promise: renewed, resolve } = Promise.withResolvers<void>();
    const idle = await connect();
    // In time that this process ran: ticks that it slept through come as one.
    const ticksInLease = 20;
    let now = 0;
    const clock = setInterval(() => now++, leaseMs / ticksInLease);
    t.after(() => clearInterval(clock));
    const times: number[] = [now];
    server.answerAll((call) => {
      assert.deepEqual(call.operations, [operation.sequence]);
      times.push(now);
      if (times.length > 5) resolve();
      return accepted(word(0, 0, 1), sequenceResult(call));
    });
    await renewed;
    await idle.close();
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    assert.ok(Math.max(...gaps) < ticksInLease, `${gaps} of ${ticksInLease} ticks`);
  });

  test("with 20,000 calls at once answers them all: those without a slot wait their turn", async () => {
    const calls = Array.from({ length: 20_000 }, () => client.getattr(client.root.handle));
    for (const { type } of await Promise.all(calls)) assert.equal(type, "directory");
  });

  test("with more calls at once than may wait, refuses the last ones unsent, and answers the others", async () => {
    const room = client.features.callsInFlightMax + nfsLimits.waitingMax;
    const calls = Array.from({ length: room + 10 }, () =>
      client.getattr(client.root.handle, { timeoutMs: 60_000 }),
    );
    const results = await Promise.allSettled(calls);
    const refused = results.filter((result) => result.status === "rejected").map(({ reason }) => reason);
    assert.equal(refused.length, 10);
    for (const reason of refused) {
      assert.ok(reason instanceof NfsError);
      assert.deepEqual([reason.diagnosis, reason.outcome], ["overload", "not-done"]);
      assert.match(reason.message, /65536 requests wait already: start fewer at once/);
    }
    assert.ok(rpcLimits.callsQueuedMax >= nfsLimits.waitingMax, "the slots' queue is full first");
  });
});

for (const version of ["3", "4.1"] as const) {
  describe(`Ganesha over NFS ${version}`, () => {
    let server: Ganesha;
    let client: NfsClient;
    const leaseSeconds = 3;
    before(async () => {
      server = await startGanesha({ leaseSeconds });
      const { address: host, nfsPort: port, mountPort } = server;
      const place = { host, port, mountPort, path: "/srv/data", versions: [version] };
      client = await connectNfs({ ...place, sourcePort: "any", timeoutMs: 60_000 });
    });
    after(async () => {
      await client?.close();
      await server?.[Symbol.asyncDispose]();
    });

    test("with thousands of creations at once makes every one", async () => {
      const { handle } = await client.mkdir(client.root.handle, "many", {});
      const names = Array.from({ length: 5000 }, (_, index) => `d${index}`);
      await Promise.all(names.map((name) => client.mkdir(handle, name, {})));
      assert.equal((await readdir(`${server.directory("data")}/many`)).length, names.length);
    });

    // NFS 3 has no leases.
    if (version === "3") return;
    test("after a lease that ran out, because the process stood still, goes on as if nothing had been", async () => {
      const { handle } = await client.mkdir(client.root.handle, "before", {});
      // The whole process, its timers and sockets too: no lease is renewed.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, leaseSeconds * 3000);
      await client.create(handle, "after", {}, Buffer.from("x"));
      assert.deepEqual(await readdir(`${server.directory("data")}/before`), ["after"]);
    });
  });
}
