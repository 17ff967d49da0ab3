import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BerthError } from "../core/errors.ts";
import { parseEndpoint, printEndpoint } from "./endpoint.ts";

describe("an endpoint", () => {
  for (const { text, endpoint } of [
    { text: "unix:///csi/csi.sock", endpoint: { kind: "unix", path: "/csi/csi.sock" } },
    { text: `unix:///${"a".repeat(106)}`, endpoint: { kind: "unix", path: `/${"a".repeat(106)}` } },
    { text: "tcp://127.0.0.1:10000", endpoint: { kind: "tcp", host: "127.0.0.1", port: 10000 } },
    { text: "tcp://127.255.255.254:1", endpoint: { kind: "tcp", host: "127.255.255.254", port: 1 } },
    { text: "tcp://[::1]:65535", endpoint: { kind: "tcp", host: "::1", port: 65535 } },
  ]) {
    test(`${text.slice(0, 40)} is read, and printed again`, () => {
      const parsed = parseEndpoint(text);
      assert.deepEqual(parsed, endpoint);
      assert.equal(printEndpoint(parsed), text);
    });
  }

  test("localhost is 127.0.0.1, whatever a name server says", () =>
    assert.equal(printEndpoint(parseEndpoint("tcp://localhost:1")), "tcp://127.0.0.1:1"));

  for (const { text, cause } of [
    { text: "", cause: /neither unix:\/\/ nor tcp:\/\// },
    { text: "/csi/csi.sock", cause: /neither/ },
    { text: "unix:/csi.sock", cause: /neither/ },
    { text: "unix://csi.sock", cause: /relative path.*three slashes/ },
    { text: "unix:///csi/", cause: /names no file/ },
    { text: "unix:///a\0b", cause: /names no file/ },
    { text: `unix:///${"a".repeat(107)}`, cause: /108 bytes, and the kernel would cut it at 107/ },
    { text: `unix:///${"ä".repeat(54)}`, cause: /109 bytes/ },
    { text: "tcp://0.0.0.0:1", cause: /no loopback address.*mutual TLS/ },
    { text: "tcp://10.0.0.5:1", cause: /no loopback address/ },
    { text: "tcp://127.0.0.1.example.com:1", cause: /no loopback address/ },
    { text: "tcp://127.0.0.256:1", cause: /no loopback address/ },
    { text: "tcp://[::]:1", cause: /no loopback address/ },
    { text: "tcp://:1", cause: /no loopback address/ },
    { text: "tcp://127.0.0.1", cause: /no host and port/ },
    { text: "tcp://127.0.0.1:65536", cause: /no host and port/ },
    { text: "tcp://::1:1", cause: /no host and port/ },
  ]) {
    test(`${JSON.stringify(text.slice(0, 40))} is refused with the reason`, () =>
      assert.throws(
        () => parseEndpoint(text),
        (error) =>
          error instanceof BerthError && error.code === "invalid-argument" && cause.test(error.message),
      ));
  }
});
