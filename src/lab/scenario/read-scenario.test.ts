import assert from "node:assert/strict";
import { test } from "node:test";
import { BerthError } from "../../core/errors.ts";
import { parseManifest } from "../orchestrator/manifests/manifest-document.ts";
import { readScenario } from "./read-scenario.ts";

function read(steps: string) {
  const [document] = parseManifest("s.yaml", `kind: LabScenario\nmetadata: { name: test }\nsteps:\n${steps}`);
  assert.ok(document !== undefined);
  return readScenario(document);
}

function refusal(steps: string): string {
  try {
    read(steps);
  } catch (reason) {
    assert.ok(reason instanceof BerthError && reason.code === "invalid-argument", String(reason));
    return reason.message;
  }
  return assert.fail("it was not refused");
}

test("steps are read with their place, their words and their patience", () => {
  const { steps } = read(`  - wait: { bound: data }
  - scale: { deployment: web, replicas: 2 }
    say: more pods
    within: 2m
  - exec: { pod: web-1, command: cat /data/x, expect: { exitCode: 1, stderr: "No such" } }
  - wait: settled
  - delete: PersistentVolumeClaim/data`);
  assert.deepEqual(
    steps.map(({ where, title, withinMs }) => `${where} ${title} ${withinMs}`),
    [
      "s.yaml:4 wait until bound: data 30000",
      "s.yaml:5 more pods 120000",
      "s.yaml:8 in web-1: cat /data/x 30000",
      "s.yaml:9 wait until all is settled 30000",
      "s.yaml:10 delete PersistentVolumeClaim/data 30000",
    ],
  );
  assert.deepEqual(steps[2]?.action, {
    ...{ kind: "exec", pod: "web-1", deployment: undefined, command: "cat /data/x" },
    expectation: { exitCode: 1, stdout: undefined, stderr: /No such/m },
  });
});

test("what is not known, or cannot be meant, is refused by file, line and key", () => {
  assert.match(
    refusal("  - wait: settled\n  - scael: { deployment: web }"),
    /^s\.yaml:5: LabScenario\/test: steps\[1\]\.scael is not known to the lab: use say, within, apply/,
  );
  assert.match(refusal("  - say: nothing"), /s\.yaml:4: .*steps\[0\] does nothing: use one of apply/);
  assert.match(refusal("  - wait: settled\n    reboot: node-1"), /does two things: wait and reboot/);
  assert.match(refusal("  - wait: later"), /wait is "later": use one of settled/);
  assert.match(refusal("  - wait: { bound: a, running: b }"), /waits for two things/);
  assert.match(refusal("  - exec: { command: ls }"), /exec runs nowhere: name a pod or a deployment/);
  assert.match(
    refusal("  - exec: { pod: a, command: ls, expect: { stdout: '(' } }"),
    /expect\.stdout is "\("/,
  );
  assert.match(refusal("  - delete: data"), /delete is "data": write Kind\/name/);
  assert.match(refusal("  - server: explode"), /server is "explode": use one of stop, start/);
  assert.match(refusal("  - wait: settled\n    within: soon"), /within is "soon": write 30s or 2m/);
  assert.match(refusal("  - apply: nowhere.yaml"), /cannot read .*nowhere\.yaml/);
  assert.match(refusal("  []"), /steps is missing: give at least one step/);
});
