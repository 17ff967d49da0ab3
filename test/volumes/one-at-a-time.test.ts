/** One change of a volume at a time: who comes meanwhile is told so, and others are not held up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { type Fate, hookedShare } from "../support/hooked-share.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const range = { requiredBytes: 5000n, limitBytes: 0n };
const trashRetentionMs = 3_600_000;

const changes: Readonly<Record<string, (volumes: ShareVolumes, name: string) => Promise<unknown>>> = {
  creation: (volumes, name) => volumes.create(newCall(), requestFor(name, { trashRetentionMs })),
  deletion: (volumes, name) => volumes.delete(newCall(), idOf(name)),
  expansion: (volumes, name) => volumes.expand(newCall(), idOf(name), range),
  restoring: (volumes, name) => volumes.restore(newCall(), idOf(name).name),
};

/** What must have been done for a change to have something to do. */
const before: Readonly<Record<string, readonly string[]>> = {
  creation: [],
  deletion: ["creation"],
  expansion: ["creation"],
  restoring: ["creation", "deletion"],
};

for (const [running, change] of Object.entries(changes)) {
  test(`while the ${running} of a volume runs, every other change of it is aborted, and its reading is not`, async () => {
    using fixture = new VolumeFixture();
    for (const earlier of before[running] ?? []) await changes[earlier]?.(fixture.volumes, "pvc");
    const begun = Promise.withResolvers<void>();
    const release = Promise.withResolvers<Fate>();
    const decide = (step: number): Fate | Promise<Fate> => {
      if (step > 0) return "done";
      begun.resolve();
      return release.promise;
    };
    const volumes = fixture.through(hookedShare(fixture.share, decide, () => new Error("never")));
    const first = change(volumes, "pvc");
    await begun.promise;

    for (const [other, again] of Object.entries(changes)) {
      await assert.rejects(again(volumes, "pvc"), {
        code: "aborted",
        message: `${other} of pvc: ${running} of the same volume is still running; retry`,
      });
    }
    await changes["creation"]?.(volumes, "another");
    await volumes.list(newCall(), undefined, 10);

    release.resolve("done");
    await first;
    await changes["creation"]?.(volumes, "pvc-2");
    await changes["deletion"]?.(volumes, "pvc");
  });
}
