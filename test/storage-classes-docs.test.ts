/** docs/storage-classes.md: its examples are taken by the placements, and its tables have every parameter. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as v from "valibot";
import { parse } from "yaml";
import { parseConfig } from "../src/cli/config/config.ts";
import { openShares } from "../src/cli/driver/shares.ts";
import { BerthError } from "../src/core/errors.ts";
import { silentLog } from "../src/core/log.ts";
import type { Placement } from "../src/placement/placement.ts";

const page = readFileSync(join(import.meta.dirname, "../docs/storage-classes.md"), "utf8");
const configuration = `
directories: [{ name: default, path: /nowhere }]
exports: [{ name: nas, server: nas.example.com, share: /k8s }]
`;
const owner = { cluster: "test", driver: "csi.berth.dev" };
const { placements } = openShares(parseConfig(configuration, "test.yaml"), owner, silentLog);
const claim = { name: "data", namespace: "prod" };
const storageClass = v.object({
  kind: v.literal("StorageClass"),
  metadata: v.object({ name: v.string() }),
  parameters: v.record(v.string(), v.string()),
});
const classes = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = ""]) =>
  v.parse(storageClass, parse(text)),
);

test("the page has examples", () => assert.ok(classes.length >= 3));

for (const { metadata, parameters } of classes) {
  test(`the class ${metadata.name} is taken as it stands`, () => {
    const { warning } = placements.of(parameters).place(parameters, "pvc-1", claim);
    assert.equal(warning, undefined);
  });
}

/** What a refusal of an unknown parameter says that the type knows. */
function knownTo(placement: Placement): string[] {
  try {
    placement.place({ type: placement.type, unheardOf: "" }, "pvc-1");
  } catch (reason) {
    assert.ok(reason instanceof BerthError);
    return (/it knows (.*)$/.exec(reason.message)?.[1] ?? "").split(", ");
  }
  return assert.fail("an unknown parameter was taken");
}

describe("the table of each type has its parameters, and no others", () => {
  for (const type of ["export", "directory"] as const) {
    test(type, () => {
      const [, section = ""] = page.split(`## \`type: ${type}\``);
      const table = (section.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("| `"));
      const documented = table.flatMap((line) =>
        [...(line.split("|")[1] ?? "").matchAll(/`([A-Za-z]+)`/g)].map(([, name]) => name),
      );
      const known = knownTo(placements.of({ type })).filter((name) => name !== "type");
      assert.deepEqual(documented.toSorted(), known.toSorted());
    });
  }
});
