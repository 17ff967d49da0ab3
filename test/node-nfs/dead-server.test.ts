/** A server that stands still: its own volumes' calls end in time with a clear status, all others go on. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import { NodeNfsFixture, share } from "./fixture.ts";
import { type Ended, type NodeGuest, type NodeVolume, stagingPathOf, targetPathOf } from "./node-guest.ts";

let fixture: NodeNfsFixture;
let node: NodeGuest;
let mortal: StorageGuest;

before(async () => {
  fixture = await NodeNfsFixture.boot();
  node = fixture.node;
  const fileSystems = [{ name: "xfs", type: "xfs" }] as const;
  mortal = await StorageGuest.boot(fixture.network, { name: "mortal", fileSystems });
});
beforeEach(() => node.clear());
after(async () => {
  await mortal?.[Symbol.asyncDispose]();
  await fixture[Symbol.asyncDispose]();
});

const ok = { code: "OK", message: "" };
/** Of one call: what kubelet gives a step is two minutes. */
const callMsMax = 30_000;

async function staticVolume(server: StorageGuest, name: string, version: string): Promise<NodeVolume> {
  await server.check(`mkdir -p ${share}/${name}; chmod 777 ${share}/${name}`);
  const mountOptions = `vers=${version},nolock`;
  return { volumeId: name, volumeContext: { server: server.address, share, subDir: name, mountOptions } };
}

async function inTime(call: Promise<Ended>): Promise<Ended> {
  const startMs = performance.now();
  const ended = await call;
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < callMsMax, `${ended.code} after ${tookMs} ms: ${ended.message}`);
  return ended;
}

for (const version of ["3", "4.2"]) {
  test(`with NFS ${version}, calls for a dead server's volumes end, and a living server's volumes do not notice (csi-driver-nfs #1271 #649, kubernetes #101622)`, async () => {
    const dead = await staticVolume(mortal, `used-${version}`, version);
    const idle = await staticVolume(mortal, `idle-${version}`, version);
    const fresh = await staticVolume(mortal, `fresh-${version}`, version);
    const living = await staticVolume(fixture.storage, `living-${version}`, version);
    for (const volume of [dead, idle]) assert.deepEqual(await node.stage(volume), ok);
    assert.deepEqual(await node.publish(dead, "dead-a"), ok);
    await node.guest.check(startWaiting("writer", targetPathOf("dead-a")));
    await mortal.guest.pause();
    try {
      await node.guest.check(goOn("writer"));
      const deadCalls = Promise.all([
        inTime(node.publish(dead, "dead-b")).then(({ code }) => assert.equal(code, "UNAVAILABLE")),
        inTime(node.stats(dead, "dead-a")).then((ended) => assert.deepEqual(ended, ok)), // it says "abnormal"
        inTime(node.stage(fresh)).then(({ code }) => assert.equal(code, "DEADLINE_EXCEEDED")),
        inTime(node.stage(idle)).then(({ code }) => assert.equal(code, "DEADLINE_EXCEEDED")),
      ]);
      const livingCalls = async () => {
        for (let round = 0; round < 3; round++) {
          assert.deepEqual(await inTime(node.stage(living)), ok);
          assert.deepEqual(await inTime(node.publish(living, "living")), ok);
          await node.guest.check(`echo hello > ${targetPathOf("living")}/file`);
          assert.deepEqual(await inTime(node.stats(living, "living")), ok);
          assert.deepEqual(await inTime(node.unpublish(living, "living")), ok);
          assert.deepEqual(await inTime(node.unstage(living)), ok);
        }
      };
      await Promise.all([deadCalls, livingCalls()]);
      // The pod ends, but what it waits for holds it; kubelet unpublishes and unstages.
      assert.deepEqual(await inTime(node.unpublish(dead, "dead-a")), ok);
      assert.deepEqual(await inTime(node.unstage(dead)), ok);
      assert.deepEqual(await inTime(node.unstage(idle)), ok);
      assert.deepEqual(await node.mounts(), []);
      assert.deepEqual(await inTime(node.stage(living)), ok);
    } finally {
      await mortal.guest.resume();
    }
    assert.deepEqual(await node.unstage(living), ok);
    assert.deepEqual(await node.stage(dead), ok);
    assert.deepEqual(await node.publish(dead, "dead-a"), ok);
    await node.guest.check(`echo again > ${targetPathOf("dead-a")}/file`);
  });
}

test("a volume whose pod writes survives that another volume of its dead server is unmounted", async () => {
  const writing = await staticVolume(mortal, "writing", "4.2");
  const going = await staticVolume(mortal, "going", "4.2");
  for (const [volume, pod] of [
    [writing, "writer"],
    [going, "goer"],
  ] as const) {
    assert.deepEqual(await node.stage(volume), ok);
    assert.deepEqual(await node.publish(volume, pod), ok);
    await node.guest.check(startWaiting(pod, targetPathOf(pod)));
  }
  await mortal.guest.pause();
  try {
    for (const pod of ["writer", "goer"]) await node.guest.check(goOn(pod));
    assert.deepEqual(await inTime(node.unpublish(going, "goer")), ok);
    assert.deepEqual(await inTime(node.unstage(going)), ok);
  } finally {
    await mortal.guest.resume();
  }
  assert.equal(await node.guest.check(waitFor("writer")), "0\n");
  assert.equal((await node.mounts()).length, 2);
  assert.equal(
    (await node.mounts()).some(({ mountPoint }) => mountPoint === stagingPathOf(going)),
    false,
  );
});

test("what waits in the staging mount of a dead server is ended by force (csi-driver-nfs #569)", async () => {
  const volume = await staticVolume(mortal, "waiting", "4.2");
  assert.deepEqual(await node.stage(volume), ok);
  await node.guest.check(startWaiting("waiter", stagingPathOf(volume)));
  await mortal.guest.pause();
  try {
    await node.guest.check(goOn("waiter"));
    assert.deepEqual(await inTime(node.unstage(volume)), ok);
    assert.notEqual(await node.guest.check(waitFor("waiter")), "0\n");
    assert.deepEqual(await node.mounts(), []);
  } finally {
    await mortal.guest.resume();
  }
});

test("a mount that the kernel hangs in, since its server fell silent after the preflight, is killed and poisons nothing (csi-driver-nfs #1271 #649)", async () => {
  const hung = await staticVolume(mortal, "hung", "4.2");
  const living = await staticVolume(fixture.storage, "beside-hung", "4.2");
  await node.guest.check(
    "mv /sbin/mount.nfs /sbin/mount.nfs.real; cat > /sbin/mount.nfs; chmod 755 /sbin/mount.nfs",
    {
      input: `#!/bin/sh
touch /run/mounting; until [ -e /run/mount.go ]; do sleep 0.05; done; exec mount.nfs.real "$@"\n`,
    },
  );
  try {
    const staging = inTime(node.stage(hung));
    await node.guest.check("until [ -e /run/mounting ]; do sleep 0.05; done");
    await mortal.guest.pause();
    await node.guest.check("touch /run/mount.go");
    await node.guest.check(
      "until grep -qs 'State:.D' /proc/$(pgrep -x mount.nfs.real)/status; do sleep 0.05; done",
    );
    assert.deepEqual(await inTime(node.stage(living)), ok);
    const { code, message } = await staging;
    assert.equal(code, "DEADLINE_EXCEEDED", message);
    assert.match(message, /mount_nfs did not end within \d+ ms and was killed/);
    await node.guest.check("! pgrep -x mount.nfs.real");
    assert.deepEqual(
      (await node.mounts()).map(({ mountPoint }) => mountPoint),
      [stagingPathOf(living)],
    );
  } finally {
    await node.guest.check("mv /sbin/mount.nfs.real /sbin/mount.nfs; rm -f /run/mounting /run/mount.go");
    await mortal.guest.resume();
  }
  assert.deepEqual(await node.stage(hung), ok);
  assert.deepEqual(await node.publish(hung, "hung"), ok);
  await node.guest.check(`echo hello > ${targetPathOf("hung")}/file`);
});

/** A process that works in a directory, and writes there when it is told to. */
function startWaiting(name: string, directory: string): string {
  const work = `cd ${directory}; exec 9> file; touch /run/${name}.open
    until [ -e /run/${name}.go ]; do sleep 0.05; done
    dd if=/dev/zero bs=64k count=16 conv=fsync status=none >&9; echo $? > /run/${name}.code`;
  return `rm -f /run/${name}.*; setsid sh -c '${work}' </dev/null >/dev/null 2>&1 & echo $! > /run/${name}.pid
    until [ -e /run/${name}.open ]; do sleep 0.05; done`;
}

/** Lets it write, and waits until it waits in the kernel. */
function goOn(name: string): string {
  return `touch /run/${name}.go
    until grep -qs 'State:.D' /proc/$(pgrep -x dd -P $(cat /run/${name}.pid))/status; do sleep 0.05; done`;
}

/** Its exit code. */
function waitFor(name: string): string {
  return `until [ -s /run/${name}.code ]; do sleep 0.05; done; cat /run/${name}.code`;
}
