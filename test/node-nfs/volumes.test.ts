/** Volumes on NFS exports, mounted by a real kernel: the ordinary life. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { NodeNfsFixture, share } from "./fixture.ts";
import { stagingPathOf, targetPathOf } from "./node-guest.ts";

let fixture: NodeNfsFixture;

before(async () => {
  fixture = await NodeNfsFixture.boot();
});
after(() => fixture[Symbol.asyncDispose]());

const ok = { code: "OK", message: "" };

for (const version of ["3", "4.1", "4.2"]) {
  describe(`a volume over NFS ${version}`, () => {
    test("is staged, published, used, and leaves nothing; df shows its directory on both mounts", async () => {
      const { node, storage } = fixture;
      const mountOptions = `vers=${version},nolock`;
      const volume = await fixture.createVolume(`pvc-life-${version}`, { mountOptions });
      assert.deepEqual(await node.stage(volume), ok);
      assert.deepEqual(await node.publish(volume, "pod-a"), ok);
      await node.guest.check(`echo hello > ${targetPathOf("pod-a")}/file`);
      assert.equal(await storage.check(`cat ${share}/pvc-life-${version}/file`), "hello\n");
      const source = `${storage.address}:${share}/pvc-life-${version}`;
      const df = await node.guest.check(
        `df --output=source ${stagingPathOf(volume)} ${targetPathOf("pod-a")} | tail -n 2`,
      );
      assert.equal(df, `${source}\n${source}\n`);
      const [mount] = await node.mounts();
      for (const option of ["hard", "nosharecache", "proto=tcp", `vers=${version}`]) {
        assert.ok(mount?.superOptions.includes(option), `${option} in ${mount?.superOptions}`);
      }
      assert.deepEqual(await node.unpublish(volume, "pod-a"), ok);
      assert.deepEqual(await node.unstage(volume), ok);
      assert.deepEqual(await node.mounts(), []);
      await node.guest.check(`[ ! -e ${targetPathOf("pod-a")} ]`);
    });
  });
}
