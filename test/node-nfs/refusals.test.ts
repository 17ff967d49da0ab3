/** Servers, exports and nodes that do not let a volume be mounted: each says why, and nothing stays. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, test } from "node:test";
import type { KernelExport } from "../../src/lab/guest/storage-scripts.ts";
import { NodeNfsFixture, share } from "./fixture.ts";
import type { NodeGuest, NodeVolume } from "./node-guest.ts";

let fixture: NodeNfsFixture;
let node: NodeGuest;
/** Made while the server admits everybody. */
let volume: NodeVolume;
let replaced: NodeVolume;

/** More exports of the node's configuration: the same share, spoken to in other ways. */
const more = (server: string) =>
  [
    { name: "anyport", rest: "sourcePort: any" },
    { name: "tls", rest: "tls: {}" },
    { name: "ganesha", rest: "port: 20490" },
  ]
    .map(({ name, rest }) => `  - {name: ${name}, server: ${server}, share: /srv/${name}, ${rest}}\n`)
    .join("");

before(async () => {
  fixture = await NodeNfsFixture.boot(more);
  node = fixture.node;
  volume = await fixture.createVolume("pvc-refused");
  replaced = await fixture.createVolume("pvc-replaced");
  await fixture.storage.check(`mv ${share}/pvc-replaced ${share}/own; mkdir ${share}/pvc-replaced`);
  await fixture.storage.check(
    `mkdir -p ${share}/directory /srv/anyport; echo > ${share}/file; ln -s directory ${share}/link`,
  );
});
beforeEach(() => node.clear());
afterEach(() => fixture.storage.setExports([{ path: share }]));
after(() => fixture[Symbol.asyncDispose]());

const byHand = (context: Readonly<Record<string, string>>): NodeVolume => ({
  volumeId: "by-hand",
  volumeContext: { server: fixture.storage.address, share, subDir: "directory", ...context },
});

interface Refusal {
  readonly what: string;
  readonly exported?: Omit<KernelExport, "path">;
  readonly volume?: () => NodeVolume;
  readonly code: string;
  readonly message: RegExp;
}

const refusals: readonly Refusal[] = [
  {
    what: "an export that squashes root where Berth is root",
    exported: { options: ["root_squash"] },
    code: "PERMISSION_DENIED",
    message: /root_squash/,
  },
  {
    what: "an export that does not admit the node's address",
    exported: { clients: "10.0.0.1" },
    code: "PERMISSION_DENIED",
    message: /does not export this path, or not to this machine's address/,
  },
  {
    what: "an export that demands Kerberos",
    exported: { options: ["sec=krb5"] },
    code: "FAILED_PRECONDITION",
    message: /demands Kerberos.*sec=krb5.*mountOptions/,
  },
  {
    what: "a share that is not there",
    volume: () => byHand({ share: "/srv/nowhere" }),
    code: "FAILED_PRECONDITION",
    message: /no such path/,
  },
  {
    what: "a directory that is not there",
    volume: () => byHand({ subDir: "nowhere" }),
    code: "NOT_FOUND",
    message: /has no "nowhere"/,
  },
  {
    what: "a volume without a record",
    volume: () => ({ volumeId: "export/nfs/directory/nas", volumeContext: {} }),
    code: "NOT_FOUND",
    message: /has no ".berth\/volumes\/directory\/identity.json"/,
  },
  {
    what: "a volume of ours with another's directory in its context",
    volume: () => ({ ...volume, volumeContext: { ...volume.volumeContext, subDir: "directory" } }),
    code: "FAILED_PRECONDITION",
    message: /record .* names the directory "pvc-refused".*"directory"/,
  },
  {
    what: "a file where the directory should be",
    volume: () => byHand({ subDir: "file" }),
    code: "FAILED_PRECONDITION",
    message: /is no directory but a file/,
  },
  {
    what: "a symbolic link where the directory should be",
    volume: () => byHand({ subDir: "link" }),
    code: "FAILED_PRECONDITION",
    message: /is no directory but a symlink/,
  },
  {
    what: "a symbolic link on the way",
    volume: () => byHand({ subDir: "link/below" }),
    code: "FAILED_PRECONDITION",
    message: /symbolic link|directory was expected/,
  },
  {
    what: "a server's name that does not resolve",
    volume: () => byHand({ server: "nas.invalid" }),
    code: "UNAVAILABLE",
    message: /nas\.invalid does not resolve/,
  },
  {
    what: "a server on which nothing listens",
    volume: () => byHand({ mountOptions: "port=2050" }),
    code: "UNAVAILABLE",
    message: /refused the connection/,
  },
  {
    what: "a configured export over TLS, which the kernel does not speak",
    volume: () => ({ volumeId: "tls", volumeContext: { export: "tls" } }),
    code: "FAILED_PRECONDITION",
    message: /\/srv\/tls: .*tls of export tls.*xprtsec=tls.*TLS tunnel on each node/,
  },
  {
    what: "RPC over TLS on a node whose kernel does not have it",
    volume: () => ({ volumeId: "tls", volumeContext: { export: "tls", mountOptions: "xprtsec=tls" } }),
    code: "FAILED_PRECONDITION",
    message: /\/srv\/tls failed: a mount with xprtsec needs a kernel with RPC over TLS.*tlshd.*tunnel/,
  },
  {
    what: "an NFS 4.0 mount of a share that is not there",
    volume: () => byHand({ share: "/srv/nowhere", mountOptions: "vers=4.0" }),
    code: "NOT_FOUND",
    message: /the directory is not there/,
  },
  {
    what: "a Kerberos mount on a node without a keytab",
    volume: () => byHand({ mountOptions: "sec=krb5" }),
    code: "FAILED_PRECONDITION",
    message: /rpc\.gssd.*keytab/,
  },
];

for (const { what, exported, volume: made = () => volume, code, message } of refusals) {
  test(`${what} is ${code}`, async () => {
    if (exported !== undefined) await fixture.storage.setExports([{ path: share, ...exported }]);
    const ended = await node.stage(made());
    assert.equal(ended.code, code, ended.message);
    assert.match(ended.message, message);
    assert.deepEqual(await node.mounts(), []);
  });
}

test("a directory that was restored is mounted with a warning, and the volume's again once its record says so", async () => {
  assert.equal((await node.stage(replaced)).code, "OK");
  const warning =
    /pvc-replaced on .* \(fileid [0-9]+\) is not the directory that Berth made .*write its fileid into/;
  assert.match(await node.pluginLog(), warning);
  assert.equal((await node.unstage(replaced)).code, "OK");
  await assert.rejects(fixture.deleteVolume(replaced), /is not the directory that Berth made/);

  const manual = readFileSync(new URL("../../docs/nodes.md", import.meta.url), "utf8");
  const [, commands = ""] = /```sh\n(record=.*?)```/s.exec(manual) ?? [];
  await fixture.storage.check(`cd ${share}; ${commands.replaceAll("pvc-1", "pvc-replaced")}`);
  await fixture.storage.check(
    `cd ${share}/.berth; [ volumes/pvc-replaced/identity.json -ef paths/pvc-replaced ]`,
  );
  await fixture.deleteVolume(replaced);
});

for (const [version, exchange] of [
  ["4.2", "mkdir"],
  ["3", "ln -s directory"], // which the server follows
] as const) {
  test(`a directory that is exchanged between the look at it and its mount by NFS ${version} is not left mounted`, async () => {
    const name = `pvc-exchanged-${version}`;
    const exchanged = await fixture.createVolume(name, { mountOptions: `vers=${version},nolock` });
    await node.guest.check(
      `mkdir -p /run/above; mount -t nfs -o vers=4.2 ${fixture.storage.address}:${share} /run/above
       mv /sbin/mount.nfs /sbin/mount.nfs.real; cat > /sbin/mount.nfs; chmod 755 /sbin/mount.nfs`,
      {
        input: `#!/bin/sh\ncd /run/above && mv ${name} away-${version} && ${exchange} ${name} && exec mount.nfs.real "$@"\n`,
      },
    );
    try {
      const ended = await node.stage(exchanged);
      assert.equal(ended.code, "FAILED_PRECONDITION", ended.message);
      assert.match(
        ended.message,
        /the kernel has mounted another directory from .*taken away again: look on the server/,
      );
      assert.deepEqual(await node.mounts(), []);
    } finally {
      await node.guest.check("mv /sbin/mount.nfs.real /sbin/mount.nfs; umount -l /run/above");
    }
    await fixture.storage.check(`cd ${share}; rm -r ${name}; mv away-${version} ${name}`);
    assert.equal((await node.stage(exchanged)).code, "OK");
  });
}

test("an export that wants a source port below 1024 is told so where another is configured", async () => {
  await fixture.storage.setExports([{ path: share, options: ["secure"] }]);
  await node.guest.check("sed -i 's#/srv/anyport#/srv/xfs#' /run/berth.yaml");
  await node.guest.check("sed -i '/name: nas/,+2d' /run/berth.yaml");
  await node.restartPlugin();
  const ended = await node.stage({
    volumeId: "port",
    volumeContext: { export: "anyport", subDir: "directory" },
  });
  assert.equal(ended.code, "PERMISSION_DENIED", ended.message);
  assert.match(ended.message, /source port below 1024/);
  // At its place, too, the configuration says so; where nothing is configured, it is found out.
  assert.match((await node.stage(byHand({}))).message, /source port below 1024/);
  assert.equal((await node.stage(byHand({ share: `${share}/directory`, subDir: "" }))).code, "OK");
});

test("a version that the server does not offer is named", async () => {
  await fixture.storage.stopServer();
  await fixture.storage.check("rpc.nfsd --no-nfs-version 4.2 --grace-time 10 --lease-time 10 4");
  try {
    const ended = await node.stage(byHand({ mountOptions: "vers=4.2" }));
    assert.equal(ended.code, "FAILED_PRECONDITION", ended.message);
    assert.match(ended.message, /does not offer NFS 4\.2/);
    assert.equal((await node.stage(byHand({}))).code, "OK");
    assert.ok((await node.mounts())[0]?.superOptions.includes("vers=4.1"));
  } finally {
    await fixture.storage.stopServer();
    await fixture.storage.check("rpc.nfsd --nfs-version 4.2 --grace-time 10 --lease-time 10 4");
  }
});

test("a node without mount.nfs is told which package brings it", async () => {
  await node.guest.check("mv /sbin/mount.nfs /sbin/mount.nfs.away");
  try {
    const ended = await node.stage(byHand({}));
    assert.equal(ended.code, "FAILED_PRECONDITION", ended.message);
    assert.match(ended.message, /nfs-common/);
    assert.deepEqual(await node.mounts(), []);
  } finally {
    await node.guest.check("mv /sbin/mount.nfs.away /sbin/mount.nfs");
  }
});

test("NFS 4.0, which only the kernel speaks, is mounted after no more than a NULL call", async () => {
  assert.equal((await node.stage(byHand({ mountOptions: "vers=4.0" }))).code, "OK");
  assert.ok((await node.mounts())[0]?.superOptions.includes("vers=4.0"));
});

test("a target outside kubelet's directory is refused", async () => {
  const stagingPath = "/run/elsewhere/globalmount";
  const ended = await node.stage(byHand({}), { stagingPath });
  assert.equal(ended.code, "INVALID_ARGUMENT", ended.message);
  await node.guest.check("[ ! -e /run/elsewhere ]");
});
