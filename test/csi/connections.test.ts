/** Connections as the edge meets them, from HTTP/2 frames to garbage: none ends the process. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { BerthError } from "../../src/core/errors.ts";
import { parseEndpoint } from "../../src/csi/endpoint.ts";
import { Identity, ProbeRequestSchema } from "../../src/gen/csi/v1/csi_pb.ts";
import { hanging, ready, startEdge } from "../support/edge-harness.ts";
import { flags, frame, frameTypes, preface } from "../support/raw-http2.ts";

const settings = frame(frameTypes.settings, 0, 0);

describe("a stream", () => {
  for (const name of ["GetMetadataAllocated", "GetMetadataDelta"]) {
    test(`answers UNIMPLEMENTED to the stream ${name}`, async (t) => {
      const { socketPath, log } = await startEdge(t, { identity: ready });
      const trailers = await rawCall(t, socketPath, `/csi.v1.SnapshotMetadata/${name}`);
      assert.equal(trailers["grpc-status"], "12");
      assert.equal(log.lines.at(-1)?.message, `${name} UNIMPLEMENTED`);
    });
  }
});

describe("a connection that is no gRPC", () => {
  for (const { title, bytes } of [
    { title: "garbage", bytes: Buffer.alloc(4096, 0xa5) },
    { title: "HTTP/1.1", bytes: Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n") },
    { title: "a preface and garbage", bytes: Buffer.concat([preface, Buffer.alloc(64, 0xff)]) },
    {
      title: "headers that are no HPACK",
      bytes: Buffer.concat([
        preface,
        settings,
        frame(frameTypes.headers, flags.endStream | flags.endHeaders, 1, Buffer.alloc(6, 0xff)),
      ]),
    },
    {
      title: "data on a stream that is not open",
      bytes: Buffer.concat([preface, settings, frame(frameTypes.data, 0, 7, Buffer.alloc(1))]),
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
      .request(grpcHeaders("/csi.v1.Identity/Probe"))
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

const emptyMessage = Buffer.from([
  0,
  0,
  0,
  0,
  0,
  ...toBinary(ProbeRequestSchema, create(ProbeRequestSchema)),
]);

function grpcHeaders(path: string) {
  return {
    ":method": "POST",
    ":path": path,
    ":authority": "localhost",
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
async function rawCall(t: TestContext, socketPath: string, path: string) {
  const session = await rawSession(t, socketPath);
  const stream = session.request(grpcHeaders(path));
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
