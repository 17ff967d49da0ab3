import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { rpcLimits } from "./limits.ts";
import { RpcError } from "./rpc-error.ts";
import { type Endpoint, endpointName, openSocket } from "./socket.ts";

async function listen(host: string): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) => void socket.on("error", () => {}));
  server.listen(0, host);
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const close = async () => {
    server.close();
    await once(server, "close");
  };
  return { port: address.port, [Symbol.asyncDispose]: close };
}

const ignore = { room: () => undefined, push: () => {} };
const soon = () => AbortSignal.timeout(5000);

test("a name with several addresses is reached by the first that answers", async () => {
  await using server = await listen("127.0.0.2");
  const resolve = () => Promise.resolve(["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
  const endpoint: Endpoint = { host: "many.test", port: server.port, sourcePort: "any", resolve };
  const socket = await openSocket(endpoint, ignore, soon());
  assert.equal(socket.remoteAddress, "127.0.0.2");
  socket.destroy();
});

test("the address that was used last comes first", async () => {
  await using first = await listen("0.0.0.0");
  const resolve = () => Promise.resolve(["127.0.0.2", "127.0.0.1"]);
  const endpoint: Endpoint = { host: "many.test", port: first.port, sourcePort: "any", resolve };
  const socket = await openSocket(endpoint, ignore, soon(), { address: "127.0.0.1", localPort: 0 });
  assert.equal(socket.remoteAddress, "127.0.0.1");
  socket.destroy();
});

test("a reserved source port is below 1024", async () => {
  await using server = await listen("127.0.0.1");
  const socket = await openSocket(
    { host: "127.0.0.1", port: server.port, sourcePort: "reserved" },
    ignore,
    soon(),
  );
  assert.ok(socket.localPort !== undefined && socket.localPort < 1024);
  socket.resetAndDestroy();
});

test("an idle connection asks its server whether it is there, so no firewall forgets it", async () => {
  await using server = await listen("127.0.0.1");
  const socket = await openSocket(
    { host: "127.0.0.1", port: server.port, sourcePort: "any" },
    ignore,
    soon(),
  );
  // proc(5): local and remote port in hexadecimal, state, queues, then the timer: 2 is that of keepalive, in 1/100 s.
  const hex = (port = 0) => port.toString(16).toUpperCase().padStart(4, "0");
  const line = new RegExp(`:${hex(socket.localPort)} \\w+:${hex(server.port)} 01 \\S+ (\\d\\d):(\\w+) `);
  const [, timer, hundredths = ""] = line.exec(readFileSync("/proc/net/tcp", "utf8")) ?? [];
  socket.destroy();
  assert.equal(timer, "02");
  assert.ok(Number.parseInt(hundredths, 16) <= rpcLimits.keepaliveMs / 10, `in ${hundredths} of 1/100 s`);
});

test("when no address answers the error is that of the last", async () => {
  const server = await listen("127.0.0.1");
  await server[Symbol.asyncDispose]();
  const resolve = () => Promise.resolve(["127.0.0.2", "127.0.0.1"]);
  const endpoint: Endpoint = { host: "many.test", port: server.port, sourcePort: "any", resolve };
  await assert.rejects(openSocket(endpoint, ignore, soon()), (error) => {
    return (
      error instanceof RpcError && error.failure.kind === "refused" && error.message.includes("many.test")
    );
  });
});

test("an IPv6 address stands in brackets before its port", () => {
  assert.equal(endpointName({ host: "fe80::1", port: 2049 }), "[fe80::1]:2049");
  assert.equal(endpointName({ host: "nas", port: 2049 }), "nas:2049");
});
