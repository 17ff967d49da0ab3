import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BerthError } from "../../../core/errors.ts";
import { parseObjects, readObjects } from "./manifests.ts";
import { parseQuantity } from "./quantity.ts";

const examples = join(import.meta.dirname, "../../../../examples");
const files = ["csidriver.yaml", "storageclass-export.yaml", "pvc.yaml", "deployment.yaml"];

/** The examples with one text replaced. */
function changed(file: string, from: string | RegExp, to: string) {
  const source = readFileSync(join(examples, file), "utf8");
  assert.notEqual(source.replace(from, to), source, "the text is in the example");
  return parseObjects(file, source.replace(from, to));
}

function assertRefused(work: () => unknown, message: RegExp): void {
  assert.throws(work, (error) => error instanceof BerthError && message.test(error.message));
}

test("the examples are the experiment's", () => {
  const [driver, storageClass, claim, deployment] = readObjects(files.map((file) => join(examples, file)));
  assert.partialDeepStrictEqual(driver, {
    name: "csi.berth.dev",
    attachRequired: false,
    fsGroupPolicy: "None",
  });
  assert.partialDeepStrictEqual(storageClass, { parameters: { type: "export", export: "nas" } });
  assert.partialDeepStrictEqual(claim, {
    ...{ name: "example-test-pvc-2", storageClassName: "berth" },
    ...{ accessModes: ["ReadWriteMany"], requestBytes: 2n ** 30n },
  });
  assert.partialDeepStrictEqual(deployment, {
    ...{ name: "go-web-demo", replicas: 0 },
    template: {
      volumes: [{ kind: "claim", name: "demo-pvc", claimName: "example-test-pvc-2", readOnly: false }],
      mounts: [{ name: "demo-pvc", mountPath: "/data", subPath: "", readOnly: false }],
    },
  });
});

test("a mistake is told with file, line, object, key and remedy", () => {
  assertRefused(
    () => changed("pvc.yaml", "1Gi", "lots"),
    /^pvc\.yaml:13: PersistentVolumeClaim\/example-test-pvc-2: spec\.resources\.requests\.storage is "lots": write a size/,
  );
  assertRefused(
    () => changed("pvc.yaml", "ReadWriteMany", "ReadWriteSome"),
    /pvc\.yaml:10: .*accessModes\[0\]/,
  );
  assertRefused(
    () => changed("deployment.yaml", "replicas: 0", "replicas: -1"),
    /deployment\.yaml:9: .*replicas is -1/,
  );
  assertRefused(
    () => changed("storageclass-export.yaml", "type: export", "type: 5"),
    /parameters\.type is 5: put .* quotes/,
  );
  assertRefused(() => changed("storageclass-export.yaml", /^reclaimPolicy.*$/m, "a: [1"), /no valid YAML/);
  assertRefused(() => changed("pvc.yaml", /^ {2}name: .*$/m, ""), /has no name/);
  assertRefused(
    () => changed("deployment.yaml", "mountPath: /data", "mountPath: /data/../etc"),
    /deployment\.yaml:29: .*mountPath is "\/data\/\.\.\/etc": give an absolute path/,
  );
});

test("what the lab does not know is refused by file, line and key", () => {
  assertRefused(
    () => changed("deployment.yaml", "kind: Deployment", "kind: Job"),
    /^deployment\.yaml:4: Job\/go-web-demo: kind is not known to the lab: use CSIDriver,/,
  );
  assertRefused(
    () => changed("pvc.yaml", "  accessModes:", "  dataSource:\n    name: x\n  accessModes:"),
    /^pvc\.yaml:10: PersistentVolumeClaim\/example-test-pvc-2: spec\.dataSource is not known to the lab/,
  );
  assertRefused(
    () => changed("deployment.yaml", "persistentVolumeClaim:", "emptyDir:"),
    /^deployment\.yaml:\d+: .*volumes\[0\]\.emptyDir is not known to the lab: use name, persistentVolumeClaim, csi/,
  );
});

test("a driver that has to be attached is refused: the lab plays no attacher", () => {
  assertRefused(() => changed("csidriver.yaml", "  attachRequired: false\n", ""), /attachRequired is true/);
});

test("sizes are read as Kubernetes reads them", () => {
  assert.equal(parseQuantity("1Gi"), 2n ** 30n);
  assert.equal(parseQuantity("1.5k"), 1500n);
  assert.equal(parseQuantity("0.3"), 1n);
  assert.equal(parseQuantity("-1"), undefined);
  assert.equal(parseQuantity("1gb"), undefined);
});
