import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createServer, type Server } from "node:tls";
import { scratchDirectory } from "../../tools/scratch.ts";
import { RpcError } from "./rpc-error.ts";
import { openSocket, type TlsOptions } from "./socket.ts";

describe("TLS", () => {
  let directory: string;
  let ca: Buffer;
  let server: Server;
  let port: number;

  before(async () => {
    directory = scratchDirectory("tls");
    const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
    const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const subject = ["-days", "2", "-subj", "/CN=nas.test", "-addext", "subjectAltName=DNS:nas.test"];
    execFileSync("openssl", [...request, ...subject, "-keyout", key, "-out", cert], { stdio: "ignore" });
    ca = await readFile(cert);
    server = createServer({ key: await readFile(key), cert: ca }, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    ({ port } = address);
  });
  after(async () => {
    server?.close();
  });

  function open(tls: TlsOptions) {
    return openSocket(
      { host: "127.0.0.1", port, sourcePort: "any", tls },
      { room: () => undefined, push: () => {} },
      AbortSignal.timeout(5000),
    );
  }

  test("carries what is sent when certificate and name are right", async () => {
    const socket = await open({ ca, serverName: "nas.test" });
    socket.write("through");
    const [echoed] = await once(socket, "data");
    assert.equal(String(echoed), "through");
    socket.destroy();
  });

  test("is refused when the certificate is not trusted", async () => {
    await assert.rejects(open({ serverName: "nas.test" }), (error) => isTlsFailure(error));
  });

  test("is refused when the certificate has another name", async () => {
    await assert.rejects(open({ ca, serverName: "other.test" }), (error) => isTlsFailure(error));
    await assert.rejects(open({ ca }), (error) => isTlsFailure(error));
  });
});

function isTlsFailure(error: unknown): boolean {
  return error instanceof RpcError && error.failure.kind === "tls";
}
