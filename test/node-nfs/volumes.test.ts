/** Volumes on NFS exports, mounted by a real kernel: their life, modes, flags, handles, and what is refused. */
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { after, before, beforeEach, describe, test } from "node:test";
import { VolumeCapability_AccessMode_Mode as Mode } from "../../src/gen/csi/v1/csi_pb.ts";
import { check } from "../../src/lab/guest/process.ts";
import { NodeNfsFixture, share } from "./fixture.ts";
import { type Ended, type NodeGuest, stagingPathOf, targetPathOf } from "./node-guest.ts";

let fixture: NodeNfsFixture;
let node: NodeGuest;
let volumes = 0;

before(async () => {
  fixture = await NodeNfsFixture.boot();
  node = fixture.node;
});
beforeEach(() => node.clear());
after(() => fixture[Symbol.asyncDispose]());

const ok = { code: "OK", message: "" };

function refused(ended: Ended, code: string, message: RegExp): void {
  assert.equal(ended.code, code, ended.message);
  assert.match(ended.message, message);
}

/** A volume of its own, made by the controller. */
async function newVolume(parameters: Readonly<Record<string, string>> = {}) {
  volumes += 1;
  return await fixture.createVolume(`pvc-${volumes}`, parameters);
}

const isUsed = (pod: string) => node.guest.check(`echo hello > ${targetPathOf(pod)}/${pod}`);

for (const version of ["3", "4.1", "4.2"]) {
  describe(`a volume over NFS ${version}`, () => {
    test("is staged, published, used, and leaves nothing; df shows its directory on both mounts", async () => {
      const { storage } = fixture;
      const volume = await newVolume({ mountOptions: `vers=${version},nolock` });
      assert.deepEqual(await node.stage(volume), ok);
      assert.deepEqual(await node.publish(volume, "a"), ok);
      await node.guest.check(`echo hello > ${targetPathOf("a")}/file`);
      assert.equal(await storage.check(`cat ${share}/pvc-${volumes}/file`), "hello\n");
      const source = `${storage.address}:${share}/pvc-${volumes}`;
      const df = `df --output=source ${stagingPathOf(volume)} ${targetPathOf("a")} | tail -n 2`;
      assert.equal(await node.guest.check(df), `${source}\n${source}\n`);
      const [mount] = await node.mounts();
      for (const option of ["hard", "nosharecache", "proto=tcp", `vers=${version}`]) {
        assert.ok(mount?.superOptions.includes(option), `${option} in ${mount?.superOptions}`);
      }
      assert.deepEqual(await node.unpublish(volume, "a"), ok);
      assert.deepEqual(await node.unstage(volume), ok);
      assert.deepEqual(await node.mounts(), []);
      await node.guest.check(`[ ! -e ${targetPathOf("a")} ]`);
    });
  });
}

for (const version of ["3", "4.2"]) {
  test(`a class's IPv6 address has volumes, mounted by NFS ${version}, told apart and measured by it`, async () => {
    const [uplink] = Object.entries(networkInterfaces()).find(([, all = []]) =>
      all.some(({ address }) => address === fixture.network.hostAddress),
    ) ?? [""];
    await check(["ip", "address", "replace", "fd5e::3/64", "dev", uplink, "nodad"]);
    await fixture.storage.check("ip address replace fd5e::1/64 dev vec0 nodad");
    await node.guest.check("ip address replace fd5e::2/64 dev vec0 nodad");
    const name = `six-${version}`;
    const mountOptions = `vers=${version},nolock`;
    const volume = await fixture.createVolume(name, { server: "fd5e::1", share, mountOptions });
    assert.equal(volume.volumeId, `export/nfs/${name}/%5Bfd5e%3A%3A1%5D%3A%2Fsrv%2Fxfs`);
    for (let time = 0; time < 2; time++) assert.deepEqual(await node.stage(volume), ok);
    assert.deepEqual(await node.publish(volume, "a"), ok);
    for (const { source } of await node.mounts()) assert.equal(source, `[fd5e::1]:${share}/${name}`);
    const { volumeCondition } = await node.figures(volume, "a");
    assert.match(volumeCondition?.message ?? "", /^usage never measured yet/);
    assert.deepEqual(await node.unpublish(volume, "a"), ok);
    assert.deepEqual(await node.unstage(volume), ok);
    assert.deepEqual(await node.mounts(), []);
    await fixture.deleteVolume(volume);
    await fixture.storage.check(`[ ! -e ${share}/${name} ]`);
  });
}

test("a server's DNS name is mounted by its name", async () => {
  await node.guest.check(`echo '${fixture.storage.address} nas.test' >> /etc/hosts`);
  const volume = { volumeId: "named", volumeContext: { server: "nas.test", share } };
  assert.deepEqual(await node.stage(volume), ok);
  assert.equal((await node.mounts())[0]?.source, `nas.test:${share}`);
  assert.deepEqual(await node.unstage(volume), ok);
});

describe("calls", () => {
  test("may be repeated, with a restart of the plugin in between", async () => {
    const volume = await newVolume();
    assert.deepEqual(await node.stage(volume), ok);
    assert.deepEqual(await node.publish(volume, "a"), ok);
    await node.restartPlugin();
    assert.deepEqual(await node.stage(volume), ok);
    assert.deepEqual(await node.publish(volume, "a"), ok);
    assert.equal((await node.mounts()).length, 2);
    await node.restartPlugin();
    for (let time = 0; time < 2; time++) assert.deepEqual(await node.unpublish(volume, "a"), ok);
    for (let time = 0; time < 2; time++) assert.deepEqual(await node.unstage(volume), ok);
    assert.deepEqual(await node.mounts(), []);
  });

  test("many pods of a node share one NFS mount, and two volumes have none in common (csi-driver-nfs #573 #479)", async () => {
    const [first, second] = [await newVolume(), await newVolume()];
    for (const volume of [first, second]) assert.deepEqual(await node.stage(volume), ok);
    for (const pod of ["a", "b", "c"]) assert.deepEqual(await node.publish(first, pod), ok);
    assert.deepEqual(await node.publish(second, "d"), ok);
    const devices = (await node.mounts()).map(({ device }) => device);
    assert.equal(devices.length, 6);
    assert.equal(new Set(devices).size, 2);
  });

  test("unpublish and unstage end a volume that was deleted meanwhile", async () => {
    const volume = await newVolume();
    await node.stage(volume);
    await node.publish(volume, "a");
    await fixture.deleteVolume(volume);
    assert.deepEqual(await node.unpublish(volume, "a"), ok);
    assert.deepEqual(await node.unstage(volume), ok);
    assert.deepEqual(await node.mounts(), []);
  });

  test("publish of a volume that is not staged is refused and makes no target", async () => {
    const volume = await newVolume();
    refused(await node.publish(volume, "a"), "FAILED_PRECONDITION", /is not staged/);
    await node.guest.check(`[ ! -e ${targetPathOf("a")} ]`);
  });

  test("unpublish takes away a mount that is in use, and never a directory with something in it", async () => {
    const volume = await newVolume();
    await node.stage(volume);
    await node.publish(volume, "a");
    await node.guest.check(
      `cd ${targetPathOf("a")}; setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! > /run/busy`,
    );
    assert.deepEqual(await node.unpublish(volume, "a"), ok);
    await node.guest.check("kill -KILL $(cat /run/busy)");
    await node.guest.check(`mkdir -p ${targetPathOf("b")}/mine`);
    refused(await node.unpublish(volume, "b"), "FAILED_PRECONDITION", /not empty/i);
  });
});

describe("access modes", () => {
  test("a read-only publish and a read-only mode refuse writers, in the kernel", async () => {
    const volume = await newVolume();
    await node.stage(volume);
    assert.deepEqual(await node.publish(volume, "a", { readOnly: true }), ok);
    await assert.rejects(isUsed("a"), /Read-only file system/);
    assert.deepEqual(await node.publish(volume, "b"), ok);
    await isUsed("b");
    refused(await node.publish(volume, "a"), "ALREADY_EXISTS", /another way/);
    const readers = await newVolume();
    const mode = Mode.MULTI_NODE_READER_ONLY;
    assert.deepEqual(await node.stage(readers, { mode }), ok);
    assert.deepEqual(await node.publish(readers, "c", { mode }), ok);
    await assert.rejects(isUsed("c"), /Read-only file system/);
    refused(await node.stage(readers), "ALREADY_EXISTS", /another way/);
  });

  for (const [name, mode, second] of [
    ["SINGLE_NODE_WRITER", Mode.SINGLE_NODE_WRITER, "FAILED_PRECONDITION"],
    ["SINGLE_NODE_SINGLE_WRITER", Mode.SINGLE_NODE_SINGLE_WRITER, "FAILED_PRECONDITION"],
    ["SINGLE_NODE_MULTI_WRITER", Mode.SINGLE_NODE_MULTI_WRITER, "OK"],
    ["MULTI_NODE_SINGLE_WRITER", Mode.MULTI_NODE_SINGLE_WRITER, "OK"],
    ["MULTI_NODE_MULTI_WRITER", Mode.MULTI_NODE_MULTI_WRITER, "OK"],
  ] as const) {
    test(`a second target on a node with ${name} is ${second}`, async () => {
      const volume = await newVolume();
      assert.deepEqual(await node.stage(volume, { mode }), ok);
      assert.deepEqual(await node.publish(volume, "a", { mode }), ok);
      assert.deepEqual(await node.publish(volume, "a", { mode }), ok);
      assert.equal((await node.publish(volume, "b", { mode })).code, second);
      assert.deepEqual(await node.unpublish(volume, "a"), ok);
      assert.deepEqual(await node.publish(volume, "b", { mode }), ok);
    });
  }

  test("what kubelet has mounted for a subPath is no second target, and not the volume at one", async () => {
    const volume = await newVolume();
    const mode = Mode.SINGLE_NODE_SINGLE_WRITER;
    const subPath = targetPathOf("a").replace("/volumes/", "/volume-subpaths/");
    assert.deepEqual(await node.stage(volume, { mode }), ok);
    assert.deepEqual(await node.publish(volume, "a", { mode }), ok);
    await node.guest.check(
      `mkdir -p ${targetPathOf("a")}/sub ${subPath}; mount --bind ${targetPathOf("a")}/sub ${subPath}; umount ${targetPathOf("a")}`,
    );
    assert.deepEqual(await node.publish(volume, "a", { mode }), ok);
    refused(
      await node.publish(volume, "a", { mode, targetPath: subPath }),
      "FAILED_PRECONDITION",
      /something else/,
    );
    assert.equal((await node.mounts()).length, 3);
  });
});

describe("mount options", () => {
  test("the class's replace the defaults, and the PersistentVolume's flags replace the class's", async () => {
    const volume = await newVolume({ mountOptions: "soft,timeo=100,noexec,vers=4.1" });
    const mountFlags = ["timeo=200", "nosuid,nodev"];
    assert.deepEqual(await node.stage(volume, { mountFlags }), ok);
    assert.deepEqual(await node.publish(volume, "a", { mountFlags }), ok);
    for (const { superOptions, options } of await node.mounts()) {
      for (const option of ["soft", "timeo=200", "vers=4.1"])
        assert.ok(superOptions.includes(option), option);
      for (const option of ["nosuid", "nodev", "noexec"]) assert.ok(options.includes(option), option);
    }
  });

  for (const [what, mountFlags, message] of [
    ["is unknown", ["hard", "password=secret"], /the 2nd mount flag .* is none/],
    ["shares a superblock", ["sharecache"], /sharecache, the 1st mount flag .* would give all volumes/],
    [
      "mounts from elsewhere",
      ["addr=10.0.0.1"],
      /addr, the 1st mount flag .* would mount from another address/,
    ],
    [
      "contradicts another",
      ["soft", "noexec", "hard"],
      /hard, the 3rd mount flag .*, contradicts soft, the 1st/,
    ],
    ["smuggles another in", ["timeo=1,remount"], /remount, the 1st mount flag .* would change another mount/],
  ] as const) {
    test(`a mount flag that ${what} is refused by its place, not by its text`, async () => {
      const ended = await node.stage(await newVolume(), { mountFlags });
      refused(ended, "INVALID_ARGUMENT", message);
      assert.doesNotMatch(ended.message + (await node.pluginLog()), /secret/);
      assert.deepEqual(await node.mounts(), []);
    });
  }

  test("NFS 3 with locks says that rpc.statd is missing, and mounts where the class says nolock", async () => {
    const volume = await newVolume({ mountOptions: "vers=3" });
    refused(await node.stage(volume), "FAILED_PRECONDITION", /rpc\.statd.*nolock/);
    assert.deepEqual(await node.mounts(), []);
    assert.deepEqual(await node.stage(volume, { mountFlags: ["nolock"] }), ok);
  });

  test("NFS 3 locks work where rpcbind and rpc.statd run", async () => {
    await node.guest.check("mkdir -p /var/lib/nfs/sm /var/lib/nfs/sm.bak; rpcbind -w; rpc.statd --no-notify");
    const volume = await newVolume({ mountOptions: "vers=3" });
    assert.deepEqual(await node.stage(volume), ok);
    assert.deepEqual(await node.publish(volume, "a"), ok);
    await isUsed("a");
    const [mount] = await node.mounts();
    assert.equal(mount?.superOptions.includes("nolock"), false);
    await node.guest.check("pkill -x rpc.statd; pkill -x rpcbind"); // of the guest's own
  });
});

describe("static volumes", () => {
  const context = (subDir: string) => ({ server: fixture.storage.address, share, subDir });

  test("a PersistentVolume written by hand is mounted by server, share and subDir, whatever its handle", async () => {
    await fixture.storage.check(`mkdir -p '${share}/by hand/a#b,c'; chmod 777 '${share}/by hand/a#b,c'`);
    const volume = { volumeId: "my.nas##hand ✓", volumeContext: context("by hand/a#b,c") };
    assert.deepEqual(await node.stage(volume), ok);
    assert.deepEqual(await node.publish(volume, "a"), ok);
    await isUsed("a");
    assert.equal(await fixture.storage.check(`cat '${share}/by hand/a#b,c/a'`), "hello\n");
    await node.restartPlugin();
    assert.deepEqual(await node.unpublish(volume, "a"), ok);
    assert.deepEqual(await node.unstage(volume), ok);
    assert.deepEqual(await node.mounts(), []);
  });

  test("a configured export and the share itself may be given too", async () => {
    const volume = { volumeId: "whole", volumeContext: { export: "nas" } };
    assert.deepEqual(await node.stage(volume), ok);
    const [mount] = await node.mounts();
    assert.equal(mount?.source, `${fixture.storage.address}:${share}`);
    assert.deepEqual(await node.unstage(volume), ok);
  });

  for (const [what, change, message] of [
    ["climbs", { subDir: "../etc" }, /component \.\./],
    ["climbs later", { subDir: "a/../../etc" }, /component \.\./],
    ["is absolute", { subDir: "/etc" }, /absolute/],
    ["is Berth's own", { subDir: ".berth/trash" }, /\.berth/],
    ["has a line break", { subDir: "a\nb" }, /control character/],
    ["has an empty component", { subDir: "a//b" }, /empty component/],
  ] as const) {
    test(`a subDir that ${what} is refused`, async () => {
      const volume = { volumeId: "hostile", volumeContext: { ...context("a"), ...change } };
      refused(await node.stage(volume), "INVALID_ARGUMENT", message);
      assert.deepEqual(await node.mounts(), []);
    });
  }

  for (const [what, volumeContext, code, message] of [
    ["a share that climbs", { server: "nas", share: "/a/../b" }, "INVALID_ARGUMENT", /'\.\.'/],
    [
      "a server with an option in it",
      { server: "nas,addr=1", share: "/a" },
      "INVALID_ARGUMENT",
      /neither a DNS name/,
    ],
    ["a share alone", { share: "/a" }, "INVALID_ARGUMENT", /server is missing/],
    ["an unknown key", { export: "nas", subdir: "a" }, "INVALID_ARGUMENT", /"subdir"/],
    ["an unknown export", { export: "other" }, "FAILED_PRECONDITION", /no export "other"/],
    ["nothing", {}, "NOT_FOUND", /is not one of Berth/],
  ] as const) {
    test(`a context with ${what} is ${code}`, async () => {
      refused(await node.stage({ volumeId: "hostile", volumeContext }), code, message);
    });
  }

  test("a context that names another export than the id is refused", async () => {
    const volume = await newVolume();
    const volumeContext = { server: "10.0.0.1", share: "/x", subDir: "y" };
    refused(await node.stage({ ...volume, volumeContext }), "INVALID_ARGUMENT", /its context names/);
  });

  test("one volumeHandle for two directories is detected, with both names (csi-driver-nfs #369 #428)", async () => {
    await fixture.storage.check(`mkdir -p ${share}/one ${share}/two`);
    const first = { volumeId: "same", volumeContext: context("one") };
    const second = { volumeId: "same", volumeContext: context("two") };
    assert.deepEqual(await node.stage(first), ok);
    assert.deepEqual(await node.publish(first, "a"), ok);
    for (const ended of [await node.stage(second), await node.publish(second, "b")]) {
      refused(ended, "ALREADY_EXISTS", /srv\/xfs\/one.*srv\/xfs\/two/);
    }
    assert.equal((await node.mounts()).length, 2);
  });

  test("another volume's mount is never taken away, whatever the id in the call", async () => {
    const volume = await newVolume();
    await node.stage(volume);
    await node.publish(volume, "a");
    for (const volumeId of ["whatever", "export/nfs/pvc-other/nas"]) {
      const other = { volumeId, volumeContext: {} };
      refused(await node.unpublish(other, "a"), "FAILED_PRECONDITION", /something else/);
      refused(await node.unstage(other, stagingPathOf(volume)), "FAILED_PRECONDITION", /something else/);
    }
    await node.guest.check(`mkdir -p ${targetPathOf("t")}; mount -t tmpfs mine ${targetPathOf("t")}`);
    refused(await node.unpublish(volume, "t"), "FAILED_PRECONDITION", /something else/);
    assert.equal((await node.mounts()).length, 3);
  });
});
