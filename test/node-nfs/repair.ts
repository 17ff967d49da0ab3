/** Mounts that have gone stale, and servers that moved. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { type NodeNfsFixture, share } from "./fixture.ts";
import { type NodeGuest, type NodeVolume, stagingPathOf, targetPathOf } from "./node-guest.ts";
import { sharedFixture } from "./shared-fixture.ts";

let fixture: NodeNfsFixture;
let node: NodeGuest;

before(async () => {
  fixture = await sharedFixture();
  node = fixture.node;
});

const ok = { code: "OK", message: "" };

async function staticVolume(name: string, version: string): Promise<NodeVolume> {
  await fixture.storage.check(`mkdir -p ${share}/${name}; chmod 777 ${share}/${name}`);
  const mountOptions = `vers=${version},nolock`;
  return { volumeId: name, volumeContext: { export: "nas", subDir: name, mountOptions } };
}

for (const version of ["3", "4.2"]) {
  test(`with NFS ${version}, staging and publishing again repair a directory that was made anew on the server (democratic-csi #344 #100, csi-driver-smb #419)`, async () => {
    const name = `stale-${version}`;
    const volume = await staticVolume(name, version);
    assert.deepEqual(await node.stage(volume), ok);
    assert.deepEqual(await node.publish(volume, "a"), ok);
    await fixture.storage.check(`rm -r ${share}/${name}`);
    assert.equal((await node.stage(volume)).code, "NOT_FOUND");
    await fixture.storage.check(
      `mkdir ${share}/other ${share}/${name}; chmod 777 ${share}/${name}; rmdir ${share}/other`,
    );
    await assert.rejects(node.guest.check(`ls ${targetPathOf("a")}`), /Stale file handle/);
    assert.deepEqual(await node.stage(volume), ok);
    assert.deepEqual(await node.publish(volume, "a"), ok);
    await node.guest.check(`echo hello > ${targetPathOf("a")}/file`);
    assert.equal(await fixture.storage.check(`cat ${share}/${name}/file`), "hello\n");
    assert.equal((await node.mounts()).length, 2);
    assert.deepEqual(await node.unpublish(volume, "a"), ok);
    assert.deepEqual(await node.unstage(volume), ok);
    assert.deepEqual(await node.mounts(), []);
  });
}

test("a mount outlives a restart of the server, and staging again leaves it (csi-driver-nfs #927, aws-efs #614)", async () => {
  const volume = await staticVolume("restarted", "4.2");
  assert.deepEqual(await node.stage(volume), ok);
  const [before] = await node.mounts();
  await fixture.storage.stopServer();
  await fixture.storage.startServer();
  await fixture.storage.endGrace();
  assert.deepEqual(await node.stage(volume), ok);
  assert.deepEqual(await node.mounts(), [before]);
});

test("a mount outlives the server's loss of power", async () => {
  const volume = await staticVolume("crashed", "4.2");
  assert.deepEqual(await node.stage(volume), ok);
  assert.deepEqual(await node.publish(volume, "a"), ok);
  await fixture.storage.check("sync");
  await fixture.storage.crash();
  assert.deepEqual(await node.stage(volume), ok);
  assert.deepEqual(await node.publish(volume, "b"), ok);
  await node.guest.check(`echo hello > ${targetPathOf("a")}/file`);
  assert.equal(await node.guest.check(`cat ${targetPathOf("b")}/file`), "hello\n");
});

test("a directory that was moved on the server is not exchanged under pods that use it", async () => {
  const volume = await staticVolume("moved", "4.2");
  assert.deepEqual(await node.stage(volume), ok);
  assert.deepEqual(await node.publish(volume, "a"), ok);
  await fixture.storage.check(`mv ${share}/moved ${share}/moved-away; mkdir ${share}/moved`);
  const refused = await node.stage(volume);
  assert.equal(refused.code, "FAILED_PRECONDITION");
  assert.match(refused.message, /another directory now/);
  await node.unpublish(volume, "a");
  assert.deepEqual(await node.stage(volume), ok);
  await node.guest.check(`touch ${stagingPathOf(volume)}/file`);
  await fixture.storage.check(`[ -e ${share}/moved/file ]`);
});

test("an export that moves to another server is mounted from there once no pod has the old one", async () => {
  const volume = await staticVolume("moving", "4.2");
  const { address } = fixture.storage;
  // The same server under a second address stands for the new one.
  const second = address.replace(/\.[0-9]+$/, ".200");
  await fixture.storage.check(`ip address add ${second}/24 dev vec0`);
  assert.deepEqual(await node.stage(volume), ok);
  assert.deepEqual(await node.publish(volume, "a"), ok);
  await node.guest.check(`sed -i 's/server: ${address}/server: ${second}/' /run/berth.yaml`);
  await node.restartPlugin();
  const refused = await node.stage(volume);
  assert.equal(refused.code, "ALREADY_EXISTS");
  assert.match(refused.message, new RegExp(`${address}.*${second}`));
  assert.deepEqual(await node.unpublish(volume, "a"), ok);
  assert.deepEqual(await node.stage(volume), ok);
  assert.equal((await node.mounts())[0]?.source, `${second}:${share}/moving`);
  assert.deepEqual(await node.unstage(volume), ok);
});
