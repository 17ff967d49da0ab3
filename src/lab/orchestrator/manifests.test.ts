import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BerthError } from "../../core/errors.ts";
import { parseManifest } from "./manifest-document.ts";
import { linkManifests, readManifests } from "./manifests.ts";
import { parseQuantity } from "./quantity.ts";

const examples = join(import.meta.dirname, "../../../examples");
const files = ["csidriver.yaml", "storageclass.yaml", "pvc.yaml", "deployment.yaml"];

/** The examples with one text replaced. */
function changed(file: string, from: string | RegExp, to: string) {
  const documents = files.flatMap((name) => {
    const source = readFileSync(join(examples, name), "utf8");
    return parseManifest(name, name === file ? source.replace(from, to) : source);
  });
  return linkManifests("examples", documents);
}

function assertRefused(work: () => unknown, message: RegExp): void {
  assert.throws(work, (error) => error instanceof BerthError && message.test(error.message));
}

test("the examples are the experiment's", () => {
  const { driver, storageClass, claim, deployment } = readManifests(examples);
  assert.deepEqual(driver, { name: "csi.berth.dev", attachRequired: false, fsGroupPolicy: "None" });
  assert.deepEqual(storageClass.parameters, { type: "directory" });
  assert.deepEqual(
    { name: claim.name, modes: claim.accessModes, bytes: claim.requestBytes },
    { name: "example-test-pvc-2", modes: ["ReadWriteMany"], bytes: 2n ** 30n },
  );
  assert.deepEqual(
    { name: deployment.name, replicas: deployment.replicas, claim: deployment.claimName },
    { name: "go-web-demo", replicas: 0, claim: "example-test-pvc-2" },
  );
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
    () => changed("storageclass.yaml", "type: directory", "type: 5"),
    /parameters\.type is 5: put .* quotes/,
  );
  assertRefused(() => changed("storageclass.yaml", /^reclaimPolicy.*$/m, "a: [1"), /no valid YAML/);
  assertRefused(() => changed("pvc.yaml", /^ {2}name: .*$/m, ""), /has no name/);
});

test("what nobody defines is told with who asks for it", () => {
  assertRefused(
    () => changed("pvc.yaml", "storageClassName: berth-directory", "storageClassName: gone"),
    /no StorageClass "gone": PersistentVolumeClaim\/example-test-pvc-2 asks for it/,
  );
  assertRefused(
    () => changed("csidriver.yaml", "name: csi.berth.dev", "name: other"),
    /no CSIDriver "csi\.berth\.dev"/,
  );
  assertRefused(() => changed("deployment.yaml", "kind: Deployment", "kind: Job"), /no Deployment/);
  assertRefused(
    () => changed("deployment.yaml", "claimName: example-test-pvc-2", "claimName: x"),
    /no PersistentVolumeClaim "x"/,
  );
});

test("a driver that has to be attached is refused: the lab plays no attacher", () => {
  assertRefused(() => changed("csidriver.yaml", "attachRequired: false", ""), /attachRequired is true/);
});

test("sizes are read as Kubernetes reads them", () => {
  assert.equal(parseQuantity("1Gi"), 2n ** 30n);
  assert.equal(parseQuantity("1.5k"), 1500n);
  assert.equal(parseQuantity("0.3"), 1n);
  assert.equal(parseQuantity("-1"), undefined);
  assert.equal(parseQuantity("1gb"), undefined);
});
