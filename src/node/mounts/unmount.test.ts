import assert from "node:assert/strict";
import { test } from "node:test";
import { MountTable } from "./mount-table.ts";
import { unmountAll } from "./unmount.ts";

const volume = "2 1 0:9 / /pods/a rw - nfs4 nas:/x/volume rw,nosharecache";

function tableOf(...lines: string[]): MountTable {
  return MountTable.parse(["1 1 8:1 / / rw - ext4 /dev/sda rw", ...lines].join("\n"));
}

/** @returns the steps that were taken */
async function unmount(before: MountTable, after = tableOf()): Promise<string[]> {
  const steps: string[] = [];
  const unmounter = {
    readTable: async () => after,
    step: async (verb: string) => {
      steps.push(verb);
      return { exitCode: 0, output: "" };
    },
    answers: async () => true,
    stackedMax: 2,
    signal: undefined,
  };
  await unmountAll(unmounter, "v", "/pods/a", ({ id }) => id === 2, before);
  return steps;
}

test("what the kernel's client has mounted of the server's file systems below goes with the volume", async () => {
  for (const root of ["nas:/x/volume", "nas:/"]) {
    const outer = volume.replace("nas:/x/volume", root);
    const nested = "3 2 0:10 / /pods/a/nested rw - nfs4 nas:/x/volume/nested rw,nosharecache";
    assert.deepEqual(await unmount(tableOf(outer, nested)), ["unmount"]);
  }
});

test("a mount is gone though another, made meanwhile elsewhere, has its id", async () => {
  const next = volume.replace("/pods/a", "/pods/b");
  assert.deepEqual(await unmount(tableOf(volume), tableOf(next)), ["unmount"]);
});

for (const foreign of [
  "3 2 0:10 / /pods/a/b rw - nfs4 nas:/x/volume-2 rw,nosharecache",
  "3 2 0:10 / /pods/a/b rw - tmpfs nas:/x/volume/b rw",
]) {
  test(`what others have mounted in the volume is left alone: ${foreign}`, async () => {
    const below = "3 2 0:11 / /pods/a/nested rw - nfs4 nas:/x/volume/nested rw,nosharecache";
    const within = foreign.replace("3 2", "4 3").replace("/pods/a/b", "/pods/a/nested/b");
    for (const lines of [[foreign], [below, within]]) {
      await assert.rejects(unmount(tableOf(volume, ...lines)), { code: "failed-precondition" });
    }
  });
}
