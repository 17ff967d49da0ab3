/** Deleted volumes on an export of a real server: kept for their time, listed and restored by `berth trash`, then removed. */
import assert from "node:assert/strict";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { scratchDirectory } from "../../tools/scratch.ts";
import { berth } from "../support/berth-process.ts";
import { rpc } from "../support/edge-controller-harness.ts";
import { configurationOf } from "./controller-fixture.ts";
import { createVolume, deleteVolume, type ExportSite, openExportSite } from "./export-site.ts";

const claim = { name: "db", namespace: "prod" };

for (const version of ["3", "4.1"] as const) {
  describe(`over NFS ${version}`, () => {
    let site: ExportSite;
    let flags: string[];
    before(async () => {
      const exports = [{ name: "data", squash: "Root_Squash" as const }];
      const more = "    uid: 1000\n    gid: 1000\n";
      site = await openExportSite({ version, exports, more });
      chownSync(data(), 1000, 1000);
      const config = join(scratchDirectory("trash"), "berth.yaml");
      writeFileSync(config, configurationOf(site.server, version) + more);
      flags = ["--config", config, "--driver-name", "d.test"];
    });
    after(() => site[Symbol.asyncDispose]());

    const data = (...names: string[]): string => join(site.server.directory("data"), ...names);

    test("a deleted volume is kept for its retention, and comes back with all that was in it", async () => {
      const { volumeId } = await createVolume(
        site,
        "pvc-1",
        { subDir: "team/app", trashRetention: "1h" },
        claim,
      );
      mkdirSync(data("team/app/closed"), { mode: 0o700 });
      writeFileSync(data("team/app/closed/file"), "precious");
      chownSync(data("team/app/closed"), 2000, 2000);
      await deleteVolume(site, volumeId);
      assert.ok(!existsSync(data("team")));
      assert.equal((await site.reap()).waiting, 1);

      const listed = await berth("trash", "list", ...flags);
      assert.deepEqual([listed.end, listed.stderr], [0, ""]);
      assert.match(
        listed.stdout,
        new RegExp(`^${volumeId}  claim prod/db  1073741824 bytes .1 GiB.  deleted .*  kept until .*\n$`),
      );
      const restored = await berth("trash", "restore", volumeId, ...flags);
      assert.deepEqual([restored.end, restored.stderr], [0, ""]);
      assert.match(restored.stdout, /is back in team\/app, with 1073741824 bytes/);
      assert.equal(readFileSync(data("team/app/closed/file"), "utf8"), "precious");
      assert.equal(statSync(data("team/app/closed")).uid, 2000);
      const { response } = await site.client.call(rpc.controllerGetVolume, { volumeId });
      assert.equal(response?.status?.volumeCondition?.abnormal, false);

      const { purged } = await site.reap();
      assert.equal(purged, 0, "who has just restored it must not read in the log that it was removed");
      assert.equal(readFileSync(data("team/app/closed/file"), "utf8"), "precious");
      await deleteVolume(site, volumeId);
      assert.equal((await site.reap()).waiting, 1);
    });

    test("without a retention nothing is kept beyond the reaper's next pass", async () => {
      const { volumeId } = await createVolume(site, "pvc-2", {});
      await deleteVolume(site, volumeId);
      const { purged } = await site.reap();
      assert.equal(purged, 1);
      const restored = await berth("trash", "restore", volumeId, ...flags);
      assert.equal(restored.end, 1);
      assert.match(restored.stderr, /has no deleted volume pvc-2 in its trash/);
      assert.deepEqual(
        readdirSync(data()).filter((name) => name !== ".berth"),
        [],
      );
    });
  });
}
