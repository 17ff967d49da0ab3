import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { scratchDirectory } from "../../../tools/scratch.ts";
import { silentLog } from "../../core/log.ts";
import { parseConfig } from "../config/config.ts";
import { NodeShares } from "./ephemeral-shares.ts";

test("exports that cannot be opened yet are opened when they can, and do not keep the node from ending", async () => {
  const directory = scratchDirectory("shares");
  const caFile = join(directory, "ca.pem");
  const text = `cluster: test\nexports:\n  - {name: nas, server: nas, share: /x, tls: {caFile: ${caFile}}}\n`;
  const shares = new NodeShares(parseConfig(text, "test.yaml"), "d.test", silentLog);
  const volumeId = `csi-${"a".repeat(64)}`;
  const record = { schema: 1, volumeId, export: "nas", targetPath: "/t", pod: "", createdAt: "" } as const;
  await assert.rejects(shares.check(record, {}), { code: "invalid-argument", message: /certificates/ });
  await shares.close();
  writeFileSync(caFile, "");
  await shares.check(record, {});
  await shares.close();
});
