/** The judge of `make conformance`, on reports as Ginkgo writes them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJunit, problemsOf } from "../tools/junit.ts";

const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4">
  <testsuite name="CSI Driver Test Suite" tests="4">
    <testcase name="[BeforeSuite]" classname="CSI" status="passed" time="0.1"></testcase>
    <testcase name="[It] Node &#34;a&#34; works" classname="CSI" status="passed" time="0.1"/>
    <testcase name="[It] Snapshots work" classname="CSI" status="skipped" time="0">
      <skipped message="skipped - Snapshot not supported"></skipped>
    </testcase>
    <testcase name="[It] Volumes work" classname="CSI" status="failed" time="0">
      <failure message="Expected&#xA;x &lt; y" type="failed">stack</failure>
    </testcase>
  </testsuite>
</testsuites>`;

const passed = { name: "a", status: "passed", failure: "" };
const skipped = { name: "b", status: "skipped", failure: "" };

test("a report's specs are read with their names, states and failures", () => {
  assert.deepEqual(parseJunit(report), [
    { name: 'Node "a" works', status: "passed", failure: "" },
    { name: "Snapshots work", status: "skipped", failure: "" },
    { name: "Volumes work", status: "failed", failure: "Expected\nx < y" },
  ]);
});

test("a suite's own node that fails counts as a spec", () => {
  const [spec] = parseJunit('<testcase name="[AfterSuite]" status="panicked"></testcase>');
  assert.equal(spec?.status, "panicked");
});

test("listed skips are no problem", () => {
  assert.deepEqual(problemsOf([passed, skipped], ["b"]), []);
});

test("a spec that csi-sanity has switched off counts as a skip", () => {
  const pending = { name: "b", status: "pending", failure: "" };
  assert.deepEqual(problemsOf([passed, pending], ["b"]), []);
  assert.deepEqual(problemsOf([passed, pending], []), ["skipped, but not listed: b"]);
});

test("a skip that is not listed is a problem", () => {
  assert.deepEqual(problemsOf([passed, skipped], []), ["skipped, but not listed: b"]);
});

test("a listed spec that runs is a problem: the list shrinks with what the driver learns", () => {
  assert.deepEqual(problemsOf([passed], ["a"]), ["listed, but not skipped: a"]);
});

test("whatever is neither passed nor skipped is a problem", () => {
  for (const status of ["failed", "panicked", "timedout", "interrupted", ""]) {
    assert.deepEqual(problemsOf([{ name: "c", status, failure: "why\nso" }], []), [
      `${status}: c\n    why\n    so`,
    ]);
  }
});
