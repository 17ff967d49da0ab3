/**
 * Calls in HTTP/2 frames that are written here, byte by byte: a library would refuse, or mend, the very authorities
 * that other clients send. Whatever they say, the process goes on and serves others.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Identity, ProbeResponseSchema } from "../../src/gen/csi/v1/csi_pb.ts";
import { ready, startEdge } from "../support/edge-harness.ts";
import { flags, frame, framesIn, frameTypes, headerBlock, preface } from "../support/raw-http2.ts";

/** RFC 9113 §7. */
const protocolError = 1;
/** gRPC over HTTP/2: not compressed, and so many bytes. An empty ProbeRequest has none. */
const emptyMessage = Buffer.alloc(5);
const readyMessage = toBinary(ProbeResponseSchema, create(ProbeResponseSchema, { ready: true }));
const answer = Buffer.concat([Buffer.from([0, 0, 0, 0, readyMessage.length]), readyMessage]);

/** How a call of Probe ended. */
type End =
  | { readonly kind: "answered"; readonly message: Buffer }
  | { readonly kind: "reset" | "gone away"; readonly errorCode: number }
  | { readonly kind: "closed" };

function probeFrames(authorities: readonly string[]): Buffer {
  const headers: [string, string][] = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/csi.v1.Identity/Probe"],
    ...authorities.map((authority): [string, string] => [":authority", authority]),
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ];
  return Buffer.concat([
    preface,
    frame(frameTypes.settings, 0, 0),
    frame(frameTypes.headers, flags.endHeaders, 1, headerBlock(headers)),
    frame(frameTypes.data, flags.endStream, 1, emptyMessage),
  ]);
}

async function probe(t: TestContext, socketPath: string, ...authorities: string[]): Promise<End> {
  const socket: Socket = connect(socketPath);
  t.after(() => socket.destroy());
  socket.write(probeFrames(authorities));
  const data: Buffer[] = [];
  for await (const { type, flags: set, streamId, payload } of framesIn(socket)) {
    if (type === frameTypes.goAway) return { kind: "gone away", errorCode: payload.readUInt32BE(4) };
    if (streamId !== 1) continue;
    if (type === frameTypes.data) data.push(payload);
    if (type === frameTypes.rstStream) return { kind: "reset", errorCode: payload.readUInt32BE(0) };
    if ((set & flags.endStream) !== 0) return { kind: "answered", message: Buffer.concat(data) };
  }
  return { kind: "closed" };
}

describe("the :authority", () => {
  for (const authority of ["localhost", "%2Fcsi%2Fcsi.sock", "csi.sock", "[::1]:9000", "a%zz"]) {
    test(`${authority} is served`, async (t) => {
      const { socketPath } = await startEdge(t, { identity: ready });
      assert.deepEqual(await probe(t, socketPath, authority), { kind: "answered", message: answer });
    });
  }

  for (const { title, authorities } of [
    { title: "of a raw path, as older Go clients send it,", authorities: ["/csi/csi.sock"] },
    { title: "that is missing", authorities: [] },
    { title: "with a user", authorities: ["user@localhost"] },
    { title: "with a blank", authorities: ["a b"] },
    { title: "with a NUL", authorities: ["a\0b"] },
    { title: "that is there twice", authorities: ["localhost", "localhost"] },
  ]) {
    test(`${title} is refused by HTTP/2 itself, and harms nobody else`, async (t) => {
      const { socketPath, client } = await startEdge(t, { identity: ready });
      assert.deepEqual(await probe(t, socketPath, ...authorities), {
        kind: "reset",
        errorCode: protocolError,
      });
      assert.equal((await client.call(Identity.method.probe, {})).code, "OK");
    });
  }
});
