import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { connectNfs, type NfsVersion } from "../../src/nfs/index.ts";
import type { TlsOptions } from "../../src/rpc/socket.ts";
import { berthNfs } from "./berth-nfs.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";
import { refusal } from "./refusal.ts";
import { type Stunnel, startStunnel } from "./stunnel.ts";

const serverName = "nas.example.test";
const versions: readonly NfsVersion[] = ["3", "4.1"];

describe("TLS through stunnel", () => {
  let server: Ganesha;
  let stunnel: Stunnel;
  before(async () => {
    server = await startGanesha();
    stunnel = await startStunnel(serverName, [server.nfsPort, server.mountPort]);
  });
  after(async () => {
    await stunnel?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  function connect(version: NfsVersion, tls: TlsOptions | undefined, timeoutMs = 10_000) {
    const [port = 0, mountPort = 0] = stunnel.ports;
    const place = { host: "127.0.0.1", port, mountPort, path: "/srv/data", versions: [version] };
    return connectNfs({ ...place, timeoutMs, ...(tls === undefined ? {} : { tls }) });
  }

  for (const version of versions) {
    test(`NFS ${version} reads and writes through it, with many calls in flight`, async () => {
      const client = await connect(version, { ca: stunnel.ca, serverName });
      try {
        const content = Buffer.alloc(3_000_000, "berth");
        const block = client.features.writeBytesMax;
        const { handle } = await client.create(client.root.handle, `tls-${version}`, { mode: 0o600 });
        const offsets = Array.from(
          { length: Math.ceil(content.length / block) },
          (_, index) => index * block,
        );
        await Promise.all(
          offsets.map((at) =>
            client.write(handle, BigInt(at), content.subarray(at, at + block), "file-sync"),
          ),
        );
        const parts = await Promise.all(offsets.map((at) => client.read(handle, BigInt(at), block)));
        assert.deepEqual(Buffer.concat(parts.map(({ data }) => data)), content);
      } finally {
        await client.close();
      }
    });

    test(`NFS ${version}: a certificate of an authority that is not trusted is refused`, async () => {
      for (const tls of [{ serverName }, { ca: stunnel.otherCa, serverName }]) {
        const error = await refusal(connect(version, tls));
        assert.deepEqual([error.diagnosis, error.code], ["tls", "storage-unavailable"]);
        assert.match(error.message, /TLS with 127\.0\.0\.1:\d+ failed \(.*\): .*"ca"/);
      }
    });

    test(`NFS ${version}: a certificate of another name is refused, and the message tells the names`, async () => {
      const error = await refusal(connect(version, { ca: stunnel.ca, serverName: "other.example.test" }));
      assert.equal(error.diagnosis, "tls");
      assert.match(error.message, /other\.example\.test.*nas\.example\.test/);
    });

    test(`NFS ${version}: without TLS nothing comes of it, in time and typed`, async () => {
      const error = await refusal(connect(version, undefined, 500));
      assert.ok(["timeout", "disconnected"].includes(error.diagnosis), error.message);
    });
  }

  test("TLS with a server that speaks none is told as that", async () => {
    const { address: host, nfsPort: port } = server;
    const tls = { ca: stunnel.ca, serverName };
    const error = await refusal(
      connectNfs({ host, port, path: "/srv/data", versions: ["4.1"], tls, timeoutMs: 500 }),
    );
    assert.equal(error.diagnosis, "timeout", error.message);
    assert.match(error.message, /no answer from [^ ]+ within 500 ms: does it speak TLS on this port\?/);
  });

  test("berth nfs goes through it", async () => {
    const [port, mountPort] = stunnel.ports;
    await writeFile(`${server.directory("data")}/hello`, "hello");
    for (const version of versions) {
      const tls = `tls=on&ca=${encodeURIComponent(stunnel.caFile)}&serverName=${serverName}`;
      const url = `nfs://127.0.0.1:${port}/srv/data/hello?version=${version}&mountPort=${mountPort}&${tls}`;
      const { stdout, stderr } = await berthNfs("cat", url);
      assert.equal(stdout, "hello", stderr);
    }
  });
});
