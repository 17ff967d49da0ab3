import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { sizeText } from "../../core/size-text.ts";
import type { FileAttributes } from "../../nfs/index.ts";
import { entriesText, longLine, printAll } from "./output.ts";

const time = { seconds: 0, nanoseconds: 0 };
const file: FileAttributes = {
  ...{ type: "file", mode: 0o644, links: 1, uid: 1, gid: 2, sizeBytes: 5n, usedBytes: 0n, fsid: 1n },
  ...{ fileid: 1n, change: 1n, accessed: time, modified: time, changed: time },
};

test("a long line shows set-uid, set-gid and sticky in place of the x", () => {
  const shown = [0o644, 0o1777, 0o1776, 0o4755, 0o6644, 0o2711].map((mode) =>
    longLine("f", { ...file, mode }).slice(0, 10),
  );
  assert.deepEqual(shown, [
    ...["-rw-r--r--", "-rwxrwxrwt", "-rwxrwxrwT", "-rwsr-xr-x", "-rwSr-Sr--", "-rwx--s--x"],
  ]);
});

test("times far from now are lines too", () => {
  const shown = [0, 99_999_999_999_999, -99_999_999_999_999, 999_999_999_999].map((seconds) =>
    longLine("f", { ...file, modified: { seconds, nanoseconds: 0 } })
      .split(" ")
      .at(-2),
  );
  assert.deepEqual(shown, [
    ...["1970-01-01T00:00:00", "@99999999999999", "@-99999999999999", "+033658-09-27T01:46:39"],
  ]);
});

test("sizes and numbers of entries read as people write them", () => {
  const sizes = [0n, 1023n, 1024n, 2n ** 20n - 1n, 2n ** 30n - 1n, 2n ** 30n].map(sizeText);
  assert.deepEqual(sizes, ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1.0 GiB", "1.0 GiB"]);
  assert.deepEqual([0, 1, 2].map(entriesText), ["0 entries", "1 entry", "2 entries"]);
});

test("much waits for a slow reader, or for the signal", async () => {
  const pipe = new PassThrough({ highWaterMark: 4 });
  const { signal } = new AbortController();
  await printAll("few", signal, pipe);
  let printed = false;
  const much = printAll("much of it", signal, pipe).then(() => {
    printed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(printed, false);
  assert.equal(String(pipe.read()), "fewmuch of it");
  await much;
  await assert.rejects(printAll("more of it", AbortSignal.abort(), pipe), { name: "AbortError" });
});
