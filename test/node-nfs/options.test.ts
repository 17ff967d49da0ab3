/** Staging again: the very same request is always fine, whatever a real kernel makes of its options; another is not. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import fc from "fast-check";
import { NodeNfsFixture, share } from "./fixture.ts";
import type { NodeGuest, NodeVolume } from "./node-guest.ts";

let fixture: NodeNfsFixture;
let node: NodeGuest;

before(async () => {
  fixture = await NodeNfsFixture.boot();
  node = fixture.node;
  await fixture.storage.check(`mkdir -p ${share}/options`);
  await node.guest.check("mkdir -p /var/lib/nfs/sm /var/lib/nfs/sm.bak; rpcbind -w; rpc.statd --no-notify");
});
beforeEach(() => node.clear());
after(() => fixture[Symbol.asyncDispose]());

/** Every option of docs/nodes.md that a guest's kernel can mount, and values that it changes or leaves. */
const topics: readonly (readonly string[])[] = [
  ["hard", "soft", "softerr"],
  ["softreval"],
  ["lock", "nolock"],
  ["ac", "noac"],
  ["cto", "nocto"],
  ["acl", "noacl"],
  ["rdirplus", "nordirplus"],
  ["resvport", "noresvport"],
  ["nomigration"],
  ["fsc", "nofsc"],
  ["trunkdiscovery", "notrunkdiscovery"],
  ["sync", "async"],
  ["nosharecache"],
  ["fg"],
  ["intr", "nointr"],
  ["timeo=600", "timeo=1", "timeo=77", "timeo=6001", "timeo=999999"],
  ["retrans=2", "retrans=0", "retrans=5"],
  ...["rsize", "wsize"].map((name) =>
    ["1048576", "0", "1", "1024", "5000", "99999999"].map((n) => `${name}=${n}`),
  ),
  ["nconnect=1", "nconnect=2", "nconnect=16"],
  ["max_connect=1", "max_connect=4"],
  ["port=2049"],
  ["proto=tcp", "tcp"],
  ["sec=sys"],
  ...["acregmin", "acregmax", "acdirmin", "acdirmax"].map((name) =>
    ["3", "0", "60", "99"].map((n) => `${name}=${n}`),
  ),
  ["actimeo=60", "actimeo=0", "actimeo=5"],
  ["local_lock=none", "local_lock=all", "local_lock=flock", "local_lock=posix"],
  ["lookupcache=all", "lookupcache=none", "lookupcache=pos", "lookupcache=positive"],
  ["rw", "ro"],
  ["nosuid", "suid"],
  ["nodev", "dev"],
  ["noexec", "exec"],
  ["noatime", "atime", "relatime", "strictatime"],
  ["nodiratime"],
  ["defaults", "_netdev", "nofail", "auto", "noauto"],
];

/** mount.nfs takes them for a demand for NFS 3. */
const ofVersion3 = [["mountport=20048"], ["mountproto=tcp"], ["mountvers=3"]];

/** What the guest's kernel cannot do: TLS, SELinux, and two that it does not know. */
const others = ["xprtsec", "context", "fscontext", "defcontext", "rootcontext", "nosoftreval", "migration"];
const versionNames = ["vers", "nfsvers", "v3", "v4", "v4.0", "v4.1", "v4.2"];

test("every option of the manual is tried", () => {
  const manual = readFileSync(new URL("../../docs/nodes.md", import.meta.url), "utf8");
  const [, list = ""] = /^Known are: (.*?)\n\n/ms.exec(manual) ?? [];
  const known = [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  const tried = [...topics, ...ofVersion3].flat().map((option) => option.split("=")[0]);
  assert.ok(known.length > 60);
  assert.deepEqual(
    known.filter((name = "") => ![...tried, ...others, ...versionNames].includes(name)),
    [],
  );
});

const volumeWith = (options: readonly string[], name = "options"): NodeVolume => ({
  volumeId: name,
  volumeContext: { server: fixture.storage.address, share, subDir: name, mountOptions: options.join(",") },
});

async function isFineTwice(options: readonly string[]): Promise<void> {
  const volume = volumeWith(options);
  try {
    for (const time of ["first", "second"]) {
      const { code, message } = await node.stage(volume);
      const [mount] = await node.mounts();
      assert.equal(code, "OK", `${time} ${options}: ${message} (${mount?.superOptions})`);
    }
  } finally {
    await node.unstage(volume);
  }
}

for (const version of ["vers=3", "v4.0", "nfsvers=4.1", "vers=4"]) {
  const all = [...topics, ...(version === "vers=3" ? ofVersion3 : [])];

  test(`what was mounted with ${version} is staged again with the same options`, async () => {
    const most = Math.max(...all.map(({ length }) => length));
    for (let turn = 0; turn < most; turn++) {
      await isFineTwice([version, ...all.map((topic) => topic[turn % topic.length] ?? "")]);
    }
    const list = fc
      .shuffledSubarray(all)
      .chain((chosen) => fc.tuple(...chosen.map((topic) => fc.constantFrom(...topic))));
    const isFine = (options: readonly string[]) => isFineTwice([...options, version]);
    const found: [string[]][] = [[["local_lock=all", "lock"]], [["lock", "local_lock=all"]]];
    await fc.assert(fc.asyncProperty(list, isFine), { numRuns: 3 + found.length, examples: found });
  });
}

test("nconnect is that of the first mount from a server, so another volume is staged again with its own", async () => {
  await fixture.storage.check(`mkdir -p ${share}/first`);
  assert.equal((await node.stage(volumeWith(["vers=4.2"], "first"))).code, "OK");
  const second = volumeWith(["vers=4.2", "nconnect=4"]);
  for (let time = 0; time < 2; time++) assert.equal((await node.stage(second)).code, "OK");
  for (const { superOptions } of await node.mounts()) {
    assert.ok(!superOptions.includes("nconnect=4"), `${superOptions}`);
  }
});

for (const [mounted, asked, option] of [
  ["vers=4.2", "soft", "soft"],
  ["softerr", "hard", "hard"],
  ["vers=4.1", "vers=4.2", "vers"],
  ["vers=4.1", "vers=3,nolock", "vers"],
  ["timeo=100", "timeo=600", "timeo"],
  ["retrans=5", "retrans=2", "retrans"],
  ["rsize=1048576", "rsize=8192", "rsize"],
  ["noac", "ac", "ac"],
  ["hard", "sync", "sync"],
  ["hard", "noresvport", "noresvport"],
  ["acregmin=1", "acregmin=3", "acregmin"],
  ["hard", "actimeo=1", "actimeo"],
  ["lookupcache=none", "lookupcache=all", "lookupcache"],
  ["vers=3,nolock", "vers=3,lock", "lock"],
  ["vers=3,nolock", "vers=3,local_lock=flock", "local_lock"],
] as const) {
  test(`a volume that is staged with ${mounted} is not staged with ${asked} too`, async () => {
    assert.equal((await node.stage(volumeWith([mounted]))).code, "OK");
    const before = await node.mounts();
    const refused = await node.stage(volumeWith([asked]));
    assert.equal(refused.code, "ALREADY_EXISTS", refused.message);
    assert.match(refused.message, new RegExp(`with another ${option} than is asked for.*end the pods`));
    assert.deepEqual(await node.mounts(), before);
    assert.equal((await node.stage(volumeWith([]))).code, "OK"); // what is not asked for may be as it is
  });
}

test("other options in the node's configuration are for new mounts: what is staged stays as it is", async () => {
  const volume = { volumeId: "options", volumeContext: { export: "nas", subDir: "options" } };
  assert.equal((await node.stage(volume)).code, "OK");
  await node.guest.check("sed -i 's/^    share:.*/&\\n    mountOptions: soft/' /run/berth.yaml");
  await node.restartPlugin();
  try {
    assert.equal((await node.stage(volume)).code, "OK");
    assert.equal((await node.unstage(volume)).code, "OK");
    assert.equal((await node.stage(volume)).code, "OK");
    assert.ok((await node.mounts())[0]?.superOptions.includes("soft"));
  } finally {
    await node.guest.check("sed -i '/mountOptions: soft/d' /run/berth.yaml");
    await node.restartPlugin();
  }
});
