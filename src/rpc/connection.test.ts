import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { XdrWriter } from "../xdr/xdr-writer.ts";
import { rootCredentials } from "./auth-sys.ts";
import { RpcConnection } from "./connection.ts";
import { monotonicMs } from "./deadline-timer.ts";
import { rpcLimits } from "./limits.ts";
import type { CallRequest } from "./pending-call.ts";
import { type OnRecord, RecordAssembler, recordMark } from "./record.ts";
import { RpcError } from "./rpc-error.ts";

/** A server's answer to a record: bytes, or what it does to the connection. */
type Behaviour = (record: Buffer, socket: Socket) => void;

const program = { name: "TEST", number: 400_000, version: 1 };

function reply(xid: number, result: number): Buffer {
  const body = new XdrWriter().uint32(xid).uint32(1).uint32(0).uint32(0).uint32(0).uint32(0).uint32(result);
  return new XdrWriter().uint32(recordMark(body.lengthBytes)).fixedOpaque(body.bytes()).bytes();
}

/** Echoes the argument. */
const echo: Behaviour = (record, socket) => {
  socket.write(reply(record.readUInt32BE(0), record.readUInt32BE(record.length - 4)));
};

describe("a connection", () => {
  let server: Server;
  let port: number;
  let behave: Behaviour;
  let sockets: Socket[];
  let connection: RpcConnection;

  before(async () => {
    server = createServer((socket) => {
      sockets.push(socket);
      const records = new RecordAssembler();
      socket.on("error", () => {});
      const onRecord: OnRecord = (bytes, start, end) => {
        behave(Buffer.from(bytes.subarray(start, end)), socket);
      };
      socket.on("data", (chunk) => records.push(chunk, onRecord));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    ({ port } = address);
  });
  beforeEach(() => {
    behave = echo;
    sockets = [];
  });
  afterEach(() => connection.close()); // also when a test failed: an open one would keep the process alive
  after(() => void server.close());

  async function open(sourcePort: "any" | "reserved" = "any"): Promise<RpcConnection> {
    const endpoint = { host: "127.0.0.1", port, sourcePort };
    connection = await RpcConnection.open(endpoint, AbortSignal.timeout(5000));
    return connection;
  }

  function request(value: number, more: Partial<CallRequest> = {}): CallRequest {
    return {
      program,
      procedure: 1,
      name: "ECHO",
      credentials: rootCredentials,
      deadlineMs: monotonicMs() + 10_000,
      encode: (writer) => void writer.uint32(value),
      ...more,
    };
  }

  async function failure(call: Promise<unknown>): Promise<RpcError> {
    const error = await call.then(
      () => assert.fail("it went well"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof RpcError, String(error));
    return error;
  }

  test("answers 10,000 calls at once, each with its own reply, in any order", async () => {
    const waiting: (() => void)[] = [];
    behave = (record, socket) => {
      waiting.push(() => echo(record, socket));
      if (waiting.length % 16 === 0) for (const answer of waiting.splice(0).reverse()) answer();
    };
    const rpc = await open();
    const values = Array.from({ length: 10_000 }, (_, index) => index);
    const replies = await Promise.all(values.map((value) => rpc.call(request(value))));
    assert.deepEqual(
      replies.map(({ results }) => results.uint32()),
      values,
    );
    rpc.close();
  });

  test("repeats a call byte for byte, from the same port, when its socket is lost", async () => {
    const records: Buffer[] = [];
    behave = (record, socket) => {
      records.push(Buffer.from(record));
      if (records.length === 1) socket.resetAndDestroy();
      else echo(record, socket);
    };
    // What the kernel chooses may be the port of others' connections too, and then cannot be bound again.
    const rpc = await open("reserved");
    const { localPort } = rpc.local;
    const { results, sends } = await rpc.call(request(7));
    assert.deepEqual([results.uint32(), sends], [7, 2]);
    assert.deepEqual(records[1], records[0]);
    assert.equal(sockets[1]?.remotePort, localPort);
    rpc.close();
  });

  test("ends a call at its deadline, and lets the others go on", async () => {
    behave = (record, socket) => {
      if (record.readUInt32BE(record.length - 4) !== 1) echo(record, socket);
    };
    const rpc = await open();
    const error = await failure(rpc.call(request(1, { deadlineMs: monotonicMs() + 50 })));
    assert.deepEqual([error.failure.kind, error.sends], ["timeout", 1]);
    assert.equal((await rpc.call(request(2))).results.uint32(), 2);
    rpc.close();
  });

  test("ends a call when its signal fires; one that fired already sends nothing", async () => {
    const cancel = new AbortController();
    behave = () => cancel.abort();
    const rpc = await open();
    assert.equal((await failure(rpc.call(request(1, { signal: cancel.signal })))).failure.kind, "cancelled");
    const late = await failure(rpc.call(request(2, { signal: cancel.signal })));
    assert.deepEqual([late.failure.kind, late.sends], ["cancelled", 0]);
    rpc.close();
  });

  test("gives up a call whose socket is lost again and again", async () => {
    behave = (_, socket) => void socket.resetAndDestroy();
    const rpc = await open();
    const startMs = monotonicMs();
    const error = await failure(rpc.call(request(1, { deadlineMs: Number.POSITIVE_INFINITY })));
    assert.equal(error.failure.kind, "disconnected");
    // 0, then at least half of 50, 100, 200, …
    assert.ok(monotonicMs() - startMs > 1500, "it waits longer and longer before it connects again");
    assert.match(
      error.message,
      /the connection to 127\.0\.0\.1:\d+ broke 8 times: is it an NFS server that listens there/,
    );
    assert.ok(error.sends > 1);
    rpc.close();
  });

  test("makes no more calls than the server takes", async () => {
    let [encoded, received, aheadMax] = [0, 0, 0];
    behave = (record, socket) => {
      received++;
      echo(record, socket);
    };
    const rpc = await open();
    await rpc.call(request(0)); // the server has its end of the connection
    sockets[0]?.pause();
    const much = Buffer.alloc(512 * 1024);
    const encode: CallRequest["encode"] = (writer) => {
      aheadMax = Math.max(aheadMax, ++encoded - received);
      writer.fixedOpaque(much).uint32(7);
    };
    const calls = Array.from({ length: 200 }, () => rpc.call(request(7, { encode })));
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    sockets[0]?.resume();
    await Promise.all(calls);
    assert.ok(aheadMax < 100, `${aheadMax} calls of 512 KiB were made that the server had not taken`);
  });

  test("refuses unsent what is more than may wait, and answers the others", async () => {
    const rpc = await open();
    await rpc.call(request(0));
    sockets[0]?.pause();
    const room = rpcLimits.callsInFlightMax + rpcLimits.callsQueuedMax;
    const calls = Promise.allSettled(Array.from({ length: room + 3 }, () => rpc.call(request(7))));
    sockets[0]?.resume();
    const refused = (await calls).filter((each) => each.status === "rejected").map(({ reason }) => reason);
    assert.deepEqual(
      refused.map(({ failure, sends }: RpcError) => [failure.kind, sends]),
      Array(3).fill(["overload", 0]),
    );
  });

  test("is kept alive by TCP while nothing is called", async () => {
    const rpc = await open();
    await rpc.call(request(0));
    const hex = (each: number) => each.toString(16).toUpperCase().padStart(4, "0");
    const ends = new RegExp(`:${hex(rpc.local.localPort ?? 0)} \\w+:${hex(port)} 01 \\S+ 02:`);
    // 02 is the timer of keepalives, once the one that waits for an acknowledgement has gone (proc(5)).
    for (let turn = 0; turn < 1000 && !ends.test(readFileSync("/proc/net/tcp", "utf8")); turn++)
      await new Promise((resolve) => setImmediate(resolve));
    assert.match(readFileSync("/proc/net/tcp", "utf8"), ends);
  });

  test("tells of the late end of a call whose caller has gone", async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const held = Promise.withResolvers<() => void>();
    behave = (record, socket) => held.resolve(() => echo(record, socket));
    const rpc = await open();
    const onLateEnd: CallRequest["onLateEnd"] = (results) => resolve(results?.uint32() ?? -1);
    await failure(rpc.call(request(9, { deadlineMs: monotonicMs() + 20, onLateEnd })));
    (await held.promise)();
    assert.equal(await promise, 9);
    rpc.close();
  });

  test("fails every call when it is closed", async () => {
    behave = () => {};
    const rpc = await open();
    const calls = [failure(rpc.call(request(1))), failure(rpc.call(request(2)))];
    rpc.close();
    assert.deepEqual(
      (await Promise.all(calls)).map((error) => error.failure.kind),
      ["closed", "closed"],
    );
    assert.equal((await failure(rpc.call(request(3)))).failure.kind, "closed");
  });

  test("replies of xids that nobody asked for are ignored", async () => {
    behave = (record, socket) => {
      socket.write(reply((record.readUInt32BE(0) ^ 0x5555) >>> 0, 666));
      echo(record, socket);
    };
    const rpc = await open();
    assert.equal((await rpc.call(request(4))).results.uint32(), 4);
    rpc.close();
  });

  test("a program that the server lacks is a typed rejection", async () => {
    behave = (record, socket) => {
      const body = new XdrWriter().uint32(record.readUInt32BE(0)).uint32(1).uint32(0).uint32(0).uint32(0);
      body.uint32(2).uint32(3).uint32(4);
      socket.write(new XdrWriter().uint32(recordMark(body.lengthBytes)).fixedOpaque(body.bytes()).bytes());
    };
    const rpc = await open();
    const error = await failure(rpc.call(request(1)));
    assert.deepEqual(error.failure, {
      kind: "rejected",
      rejection: { kind: "program-mismatch", versionMin: 3, versionMax: 4 },
    });
    rpc.close();
  });
});
