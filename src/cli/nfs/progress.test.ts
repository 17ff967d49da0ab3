import assert from "node:assert/strict";
import { test } from "node:test";
import { durationText, fitting, Progress, progressText } from "./progress.ts";

const mib = 1024n * 1024n;

test("with a total there is a bar, the rate and the time that is left", () => {
  const text = progressText({ entries: 0, sizeBytes: 256n * mib }, { sizeBytes: 1024n * mib }, 2000);
  assert.equal(text, "[######------------------] 25%  256.0 MiB of 1.0 GiB, 128.0 MiB/s, 6 s left");
});

test("without a total there are entries and their rate", () => {
  const text = progressText({ entries: 12_000, sizeBytes: 3n * mib }, undefined, 4000);
  assert.equal(text, "12000 entries, 3.0 MiB, 3000/s, 4 s");
});

test("of a tree that was counted the bar is that of bytes or entries, whichever takes longer", () => {
  const total = { sizeBytes: 1024n * mib, entries: 1000 };
  const text = progressText({ entries: 100, sizeBytes: 512n * mib }, total, 2000);
  assert.equal(
    text,
    "[##----------------------] 10%  18 s left, 100 of 1000 entries, 50/s, 512.0 MiB of 1.0 GiB",
  );
  const large = progressText({ entries: 900, sizeBytes: 256n * mib }, total, 2000);
  assert.match(large, /^\[#{6}-{18}\] 25% {2}6 s left, 900 of 1000 entries/);
});

test("nothing done, nothing to do and more than was to do are lines too", () => {
  assert.match(progressText({ entries: 0, sizeBytes: 0n }, { sizeBytes: 5n }, 0), /0%.*0 B\/s$/);
  assert.match(progressText({ entries: 0, sizeBytes: 0n }, { sizeBytes: 0n }, 10), /100%/);
  assert.match(progressText({ entries: 0, sizeBytes: 9n }, { sizeBytes: 5n }, 10), /100%.*0 s left/);
});

test("times are told as people say them", () => {
  assert.deepEqual([0.2, 59, 61, 3600, 7500].map(durationText), [
    "1 s",
    "59 s",
    "1 min 1 s",
    "1 h 0 min",
    "2 h 5 min",
  ]);
});

test("what was cut short tells what was done", () => {
  const progress = new Progress(false);
  assert.equal(progress.summary, undefined);
  progress.begin("removed");
  progress.show({ entries: 7, sizeBytes: 1024n });
  assert.equal(progress.summary, "7 entries (1.0 KiB) removed");
  progress.expect({ entries: 20, sizeBytes: 4096n });
  assert.equal(progress.summary, "7 entries (1.0 KiB) removed");
  progress.begin("written", { sizeBytes: 2048n });
  progress.addBytes(1024);
  assert.equal(progress.summary, "1.0 KiB of 2.0 KiB written");
});

test("on a narrow terminal the bar goes first, and the rate and the time stay", () => {
  const text = progressText({ entries: 0, sizeBytes: 256n * mib }, { sizeBytes: 1024n * mib }, 2000);
  assert.equal(fitting(text, 200), text);
  assert.equal(fitting(text, 60), "25%  256.0 MiB of 1.0 GiB, 128.0 MiB/s, 6 s left");
  assert.equal(fitting(text, 20), "25%  256.0 MiB of 1.");
});
