import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Helpers } from "../helpers/helpers.ts";
import { mountLooker } from "./mount-looker.ts";
import { MountTable } from "./mount-table.ts";

const { signal } = new AbortController();

test("a mount of another volume, or of something else, is not the volume's", async (t) => {
  const handle = createHash("sha256").update("mine").digest("hex");
  const table = MountTable.parse(
    [
      "1 1 8:1 / / rw - ext4 /dev/sda rw",
      `2 1 0:9 / /k/plugins/kubernetes.io/csi/d/${handle}/globalmount rw - nfs4 nas:/x/mine rw,nosharecache`,
      "3 1 0:9 / /k/pods/a rw - nfs4 nas:/x/mine rw,nosharecache",
      "4 1 0:8 / /k/home rw - nfs4 nas:/home rw",
    ].join("\n"),
  );
  const helpers = new Helpers({ killGroup: () => {} });
  t.after(() => helpers.close());
  const look = mountLooker(helpers, "/k", async () => table);
  assert.equal((await look("mine", "/k/pods/a", signal))?.id, 3);
  assert.equal((await look("mine", "/k/pods/a/", signal))?.id, 3);
  assert.equal(await look("other", "/k/pods/a", signal), undefined);
  assert.equal(await look("mine", "/k/home", signal), undefined);
});
