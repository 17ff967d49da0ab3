/** The gRPC edge as clients meet it: real sockets, real HTTP/2, good and bad. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { describe, type TestContext, test } from "node:test";
import {
  create,
  type DescMethod,
  type DescMethodUnary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Call } from "../src/core/call.ts";
import { BerthError } from "../src/core/errors.ts";
import { parseEndpoint } from "../src/csi/endpoint.ts";
import type { Implementation } from "../src/csi/service.ts";
import { csiServices } from "../src/csi/services.ts";
import {
  Controller,
  file_csi_v1_csi,
  GroupController,
  Identity,
  Node,
  type NodeStageVolumeRequestSchema,
  ProbeRequestSchema,
} from "../src/gen/csi/v1/csi_pb.ts";
import { startEdge } from "./edge-harness.ts";

const ready: Implementation<typeof Identity> = {
  async probe() {
    return { ready: true };
  },
};

/** A handler that runs until it is aborted, and says so. */
function hanging() {
  const started = Promise.withResolvers<Call>();
  const aborted = Promise.withResolvers<unknown>();
  const implementation: Implementation<typeof Identity> = {
    async probe(_request, call) {
      started.resolve(call);
      const { promise, reject } = Promise.withResolvers<never>();
      call.signal.addEventListener("abort", () => reject(call.signal.reason));
      return await promise.catch((reason: unknown) => {
        aborted.resolve(reason);
        throw reason;
      });
    },
  };
  return { implementation, started: started.promise, aborted: aborted.promise };
}

describe("a service that is not implemented", () => {
  for (const service of file_csi_v1_csi.services) {
    for (const method of service.methods) {
      if (!isUnary(method)) continue;
      test(`answers UNIMPLEMENTED to ${service.name}.${method.name}, by name`, async (t) => {
        const { client } = await startEdge(t, { identity: {} });
        const answer = await client.call(method, {});
        assert.equal(answer.code, "UNIMPLEMENTED");
        assert.ok(answer.response === undefined);
        assert.equal(answer.details, `csi.berth.test does not offer ${method.name}`);
      });
    }
  }

  for (const name of ["GetMetadataAllocated", "GetMetadataDelta"]) {
    test(`answers UNIMPLEMENTED to the stream ${name}`, async (t) => {
      const { socketPath, log } = await startEdge(t, { identity: ready });
      const trailers = await rawCall(t, socketPath, "localhost", `/csi.v1.SnapshotMetadata/${name}`);
      assert.equal(trailers["grpc-status"], "12");
      assert.equal(log.lines.at(-1)?.message, `${name} UNIMPLEMENTED`);
    });
  }
});

describe("an implementation in part", () => {
  test("answers what it has, and UNIMPLEMENTED to the rest", async (t) => {
    const { client } = await startEdge(t, { identity: ready });
    assert.equal((await client.call(Identity.method.probe, {})).response?.ready, true);
    assert.equal((await client.call(Identity.method.getPluginInfo, {})).code, "UNIMPLEMENTED");
    assert.equal(
      (await client.call(GroupController.method.getVolumeGroupSnapshot, {})).code,
      "UNIMPLEMENTED",
    );
  });
});

describe("what a handler throws", () => {
  const secretless = "an unexpected error; the driver's log has the details";

  test("becomes INTERNAL with a short message before the first side effect, and is logged whole", async (t) => {
    const { client, log } = await startEdge(t, {
      identity: {
        async probe() {
          throw new TypeError("undefined is not a share");
        },
      },
    });
    assert.deepEqual(await client.call(Identity.method.probe, {}), { code: "INTERNAL", details: secretless });
    const line = log.lines.at(-1);
    assert.equal(line?.level, "error");
    assert.ok(line.fields["error"] instanceof BerthError);
    assert.ok(line.fields["error"].cause instanceof TypeError);
    assert.match(line.fields["error"].cause.stack ?? "", /edge\.test\.ts/);
  });

  test("becomes UNAVAILABLE after it", async (t) => {
    const { client } = await startEdge(t, {
      identity: {
        async probe(_request, call) {
          call.effects.begin();
          throw new TypeError("undefined is not a share");
        },
      },
    });
    assert.deepEqual(await client.call(Identity.method.probe, {}), {
      code: "UNAVAILABLE",
      details: secretless,
    });
  });

  test("becomes its own status when it is a BerthError", async (t) => {
    const { client } = await startEdge(t, {
      identity: {
        probe() {
          throw new BerthError("aborted", "creation of größe: still running; retry"); // not even a promise
        },
      },
    });
    assert.deepEqual(await client.call(Identity.method.probe, {}), {
      code: "ABORTED",
      details: "creation of größe: still running; retry",
    });
  });
});

describe("a request that is no message", () => {
  test("is an INVALID_ARGUMENT", async (t) => {
    const { client } = await startEdge(t, { identity: ready });
    const answer = await client.callWithBytes(Identity.method.probe, Buffer.from([0xff, 0xff, 0xff]));
    assert.equal(answer.code, "INVALID_ARGUMENT");
  });

  test("with text that is not UTF-8 is an INVALID_ARGUMENT", async (t) => {
    const { client } = await startEdge(t, {
      identity: ready,
      controller: { deleteVolume: async () => ({}) },
    });
    const answer = await client.callWithBytes(
      Controller.method.deleteVolume,
      Buffer.from([0x0a, 0x02, 0xc3, 0x28]),
    );
    assert.equal(answer.code, "INVALID_ARGUMENT");
  });
});

describe("the signal of a call", () => {
  test("fires at the client's deadline", async (t) => {
    const handler = hanging();
    const { client } = await startEdge(t, { identity: handler.implementation });
    const answer = await client.call(Identity.method.probe, {}, { timeoutMs: 100 });
    assert.equal(answer.code, "DEADLINE_EXCEEDED");
    const reason = await handler.aborted;
    assert.ok(reason instanceof BerthError);
    assert.equal(reason.code, "deadline-exceeded");
  });

  test("fires when the client cancels", async (t) => {
    const handler = hanging();
    const { client } = await startEdge(t, { identity: handler.implementation });
    const answer = client.call(
      Identity.method.probe,
      {},
      { onCall: (call) => void handler.started.then(() => call.cancel()) },
    );
    assert.equal((await answer).code, "CANCELLED");
    const reason = await handler.aborted;
    assert.ok(reason instanceof BerthError);
    assert.equal(reason.code, "cancelled");
  });

  test("does not fire after a call has ended well", async (t) => {
    const seen = Promise.withResolvers<AbortSignal>();
    const { client, server } = await startEdge(t, {
      identity: {
        async probe(_request, call) {
          seen.resolve(call.signal);
          return {};
        },
      },
    });
    await client.call(Identity.method.probe, {});
    await server.drain("test");
    assert.equal((await seen.promise).aborted, false);
  });

  test("fires when the driver shuts down, and the caller is told to come again", async (t) => {
    const handler = hanging();
    const { client, server } = await startEdge(t, { identity: handler.implementation }, { drainMsMax: 20 });
    const answer = client.call(Identity.method.probe, {});
    await handler.started;
    await server.drain("test");
    assert.deepEqual(await answer, {
      code: "UNAVAILABLE",
      details: "the driver is shutting down; retry",
    });
    assert.equal(server.callsInFlight, 0);
  });
});

describe("a drain", () => {
  test("lets a call in flight end, and removes the socket", async (t) => {
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const { client, server, socketPath } = await startEdge(
      t,
      {
        identity: {
          async probe() {
            started.resolve();
            await release.promise;
            return { ready: true };
          },
        },
      },
      { drainMsMax: 10_000 },
    );
    const answer = client.call(Identity.method.probe, {});
    await started.promise;
    const drained = server.drain("test");
    release.resolve();
    assert.equal((await answer).response?.ready, true);
    await drained;
    assert.equal(existsSync(socketPath), false);
  });

  test("ends though a handler never does", async (t) => {
    const started = Promise.withResolvers<void>();
    const { client, server } = await startEdge(
      t,
      {
        identity: {
          async probe() {
            started.resolve();
            return await new Promise<never>(() => {});
          },
        },
      },
      { drainMsMax: 10 },
    );
    const answer = client.call(Identity.method.probe, {});
    await started.promise;
    await server.drain("test");
    assert.notEqual((await answer).code, "OK");
  });

  test("ends though a client keeps a connection that never spoke", async (t) => {
    const { server, socketPath } = await startEdge(t, { identity: ready });
    const silent = connect(socketPath);
    await once(silent, "connect");
    silent.on("error", () => {}).resume();
    await server.drain("test");
    if (!silent.closed) await once(silent, "close");
  });
});

describe("calls in flight", () => {
  test("beyond the bound get UNAVAILABLE, and those below it go on", async (t) => {
    const handler = hanging();
    const { client } = await startEdge(
      t,
      { identity: { ...handler.implementation, getPluginInfo: async () => ({ name: "x" }) } },
      { inFlightMax: 1 },
    );
    const first = client.call(Identity.method.probe, {}, { timeoutMs: 300 });
    await handler.started;
    assert.equal((await client.call(Identity.method.getPluginInfo, {})).code, "UNAVAILABLE");
    assert.equal((await first).code, "DEADLINE_EXCEEDED");
    await handler.aborted;
    assert.equal((await client.call(Identity.method.getPluginInfo, {})).response?.name, "x");
  });
});

describe("the :authority", () => {
  for (const authority of ["localhost", "%2Fcsi%2Fcsi.sock", "csi.sock", "[::1]:9000"]) {
    test(`${authority} is served`, async (t) => {
      const { socketPath } = await startEdge(t, { identity: ready });
      const trailers = await rawCall(t, socketPath, authority, "/csi.v1.Identity/Probe");
      assert.equal(trailers["grpc-status"], "0");
    });
  }

  test("of a raw path is refused by HTTP/2 itself, and harms nobody else", async (t) => {
    const { socketPath, client } = await startEdge(t, { identity: ready });
    await rawCall(t, socketPath, "/csi/csi.sock", "/csi.v1.Identity/Probe").catch(() => {});
    assert.equal((await client.call(Identity.method.probe, {})).code, "OK");
  });
});

describe("a connection that is no gRPC", () => {
  const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  for (const { title, bytes } of [
    { title: "garbage", bytes: Buffer.alloc(4096, 0xa5) },
    { title: "HTTP/1.1", bytes: Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n") },
    { title: "a preface and garbage", bytes: Buffer.concat([preface, Buffer.alloc(64, 0xff)]) },
    {
      title: "headers that are no HPACK",
      bytes: Buffer.concat([preface, frame(4, 0, 0, ""), frame(1, 5, 1, "ffffffffffff")]),
    },
    {
      title: "data on a stream that is not open",
      bytes: Buffer.concat([preface, frame(4, 0, 0, ""), frame(0, 0, 7, "00")]),
    },
  ]) {
    test(`of ${title} is closed, and calls on others go on`, async (t) => {
      const { socketPath, client } = await startEdge(t, { identity: ready });
      const socket = connect(socketPath);
      socket.on("error", () => {}).resume();
      socket.write(bytes);
      await once(socket, "close");
      assert.equal((await client.call(Identity.method.probe, {})).code, "OK");
    });
  }

  test("that ends in the middle of a call cancels it, and calls on others go on", async (t) => {
    const handler = hanging();
    const { socketPath, client } = await startEdge(t, {
      identity: { ...handler.implementation, getPluginInfo: async () => ({}) },
    });
    const session = await rawSession(t, socketPath);
    session.on("error", () => {});
    session
      .request(grpcHeaders("localhost", "/csi.v1.Identity/Probe"))
      .on("error", () => {})
      .end(emptyMessage);
    await handler.started;
    session.destroy();
    const reason = await handler.aborted;
    assert.ok(reason instanceof BerthError);
    assert.equal(reason.code, "cancelled");
    assert.equal((await client.call(Identity.method.getPluginInfo, {})).code, "OK");
  });

  test("that is reset on TCP harms nobody else", async (t) => {
    const endpoint = parseEndpoint("tcp://127.0.0.1:0");
    const { server, client } = await startEdge(t, { identity: ready }, { endpoint });
    assert.ok(server.endpoint.kind === "tcp");
    const socket = connect(server.endpoint.port, server.endpoint.host);
    await once(socket, "connect");
    socket.write(preface);
    socket.resetAndDestroy();
    await once(socket, "close");
    assert.equal((await client.call(Identity.method.probe, {})).code, "OK");
  });

  test("of another content type is refused", async (t) => {
    const { socketPath, client } = await startEdge(t, { identity: ready });
    const session = await rawSession(t, socketPath);
    const request = session.request({ ":method": "POST", ":path": "/", "content-type": "text/html" });
    request.on("error", () => {}).end();
    const [headers] = await once(request, "response");
    assert.equal(headers[":status"], 415);
    assert.equal((await client.call(Identity.method.probe, {})).code, "OK");
  });
});

describe("the log", () => {
  const secret = "hunter2";
  const flag = "password=swordfish";

  test("has one line for a call, with method, volume, code and time alone", async (t) => {
    const { client, log } = await startEdge(t, {
      identity: ready,
      node: { nodeStageVolume: async () => ({}) },
    });
    log.lines.length = 0;
    const answer = await client.call(Node.method.nodeStageVolume, stageRequest());
    assert.equal(answer.code, "OK");
    assert.equal(log.lines.length, 1);
    const { durationMs, ...fields } = log.lines[0]?.fields ?? {};
    assert.deepEqual(fields, { method: "NodeStageVolume", volumeId: "directory/bind/a/b", code: "OK" });
    assert.equal(typeof durationMs, "number");
  });

  test("never has a secret, a mount flag or a context, however a call ends", async (t) => {
    const { client, log } = await startEdge(t, {
      identity: ready,
      node: {
        async nodeStageVolume({ volumeId }) {
          if (volumeId === "fails") throw new Error("mount failed");
          return {};
        },
      },
    });
    const spoilt = { ...stageRequest(), secrets: { key: `${secret}${"x".repeat(5000)}` } };
    const longFlags = stageRequest(`${flag}${"x".repeat(5000)}`);
    const relative = { ...stageRequest(), stagingTargetPath: "relative" };
    for (const request of [
      stageRequest(),
      { ...stageRequest(), volumeId: "fails" },
      { ...stageRequest(), volumeId: "" },
      spoilt,
      longFlags,
      relative,
    ]) {
      const answer = await client.call(Node.method.nodeStageVolume, request);
      assert.doesNotMatch(JSON.stringify(answer), new RegExp(`${secret}|swordfish|context`));
    }
    assert.ok(log.lines.length >= 6);
    assert.doesNotMatch(log.text, new RegExp(`${secret}|swordfish|a context`));
  });

  function stageRequest(mountFlag = flag): MessageInitShape<typeof NodeStageVolumeRequestSchema> {
    return {
      volumeId: "directory/bind/a/b",
      stagingTargetPath: "/stage",
      volumeCapability: {
        accessType: { case: "mount", value: { mountFlags: [mountFlag] } },
        accessMode: { mode: 1 },
      },
      secrets: { key: secret },
      volumeContext: { key: "a context" },
    };
  }
});

test("every method of CSI has one path", () => {
  const paths = csiServices({ identity: ready }).flatMap(({ methods }) => methods.map(({ path }) => path));
  assert.equal(new Set(paths).size, paths.length);
  assert.ok(paths.includes("/csi.v1.Controller/ControllerGetVolume"));
});

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

const emptyMessage = Buffer.from([
  0,
  0,
  0,
  0,
  0,
  ...toBinary(ProbeRequestSchema, create(ProbeRequestSchema)),
]);

function grpcHeaders(authority: string, path: string) {
  return {
    ":method": "POST",
    ":path": path,
    ":authority": authority,
    ":scheme": "http",
    "content-type": "application/grpc",
    te: "trailers",
  };
}

async function rawSession(t: TestContext, socketPath: string): Promise<ClientHttp2Session> {
  const session = connectHttp2("http://localhost", { createConnection: () => connect(socketPath) });
  t.after(() => session.destroy());
  await once(session, "connect");
  return session;
}

/** One call without a gRPC library. @returns its trailers, or its headers where it has only those */
async function rawCall(t: TestContext, socketPath: string, authority: string, path: string) {
  const session = await rawSession(t, socketPath);
  const stream = session.request(grpcHeaders(authority, path));
  let headers: Record<string, unknown> = {};
  stream.on("response", (received) => {
    headers = { ...headers, ...received };
  });
  stream.on("trailers", (received) => {
    headers = { ...headers, ...received };
  });
  stream.resume().end(emptyMessage);
  await once(stream, "close");
  return headers;
}

/** An HTTP/2 frame (RFC 9113 §4.1). */
function frame(type: number, flags: number, streamId: number, payloadHex: string): Buffer {
  const payload = Buffer.from(payloadHex, "hex");
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}
