/** What an inline volume promises: a node makes it, under the rule of its export. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { parseConfig } from "../../src/cli/config/config.ts";
import { NodeShares } from "../../src/cli/driver/ephemeral-shares.ts";
import { Effects } from "../../src/core/call.ts";
import { silentLog } from "../../src/core/log.ts";
import type { EphemeralRecord } from "../../src/node/ephemeral/ephemeral-records.ts";
import { startGanesha } from "../nfs/ganesha.ts";
import { configurationOf } from "./controller-fixture.ts";

const mebibyte = 2 ** 20;
const call = () => ({ signal: new AbortController().signal, effects: new Effects(), log: silentLog });
const recordOf = (name: string): EphemeralRecord => ({
  ...{ volumeId: `csi-${name}`, export: "nas", targetPath: `/pods/${name}`, pod: `default/${name}` },
  schema: 1,
  createdAt: "2026-01-01T00:00:00.000Z",
});

test("an inline volume promises 1 GiB under its export's overcommit, and one that does not fit is not made", async () => {
  await using server = await startGanesha({ exports: [{ name: "data", sizeBytes: 512 * mebibyte }] });
  const config = parseConfig(`${configurationOf(server, "4.1")}    overcommit: "3.0"\n`, "test.yaml");
  const shares = new NodeShares(config, "d.test", silentLog);
  try {
    await shares.create(recordOf("one"), {}, call()); // of 1.5 GiB
    await assert.rejects(shares.create(recordOf("two"), {}, call()), {
      code: "resource-exhausted",
      message: /1073741824 bytes \(1 GiB\) for volume csi-two do not fit/,
    });
    const names = readdirSync(server.directory("data"));
    assert.deepEqual(names.sort(), [".berth", "csi-one"]);
  } finally {
    await shares.close();
  }
});
