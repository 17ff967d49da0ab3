/** A share without room, or that nobody may write: the right code, a message that helps, and nothing left over. */
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { creation, rpc, startController } from "../support/edge-controller-harness.ts";
import { outcomeOf } from "../support/edge-node-harness.ts";
import { inMountNamespace } from "../support/mount-namespace.ts";
import { run } from "../support/node-fixture.ts";

if (inMountNamespace()) {
  for (const { title, options, spoil, code, details } of [
    {
      title: "a full disk",
      options: "size=64k",
      spoil: (one: string) => {
        try {
          writeFileSync(join(one, "ballast"), Buffer.alloc(128 * 1024));
        } catch {
          // ENOSPC: now it is full
        }
      },
      code: "RESOURCE_EXHAUSTED",
      details: /no space/i,
    },
    {
      title: "a disk without inodes left",
      options: "nr_inodes=7",
      spoil: () => {},
      code: "RESOURCE_EXHAUSTED",
      details: /no space/i,
    },
    {
      title: "a read-only share",
      options: "size=1m",
      spoil: (one: string) => run("mount", "-o", "remount,ro", one),
      code: "FAILED_PRECONDITION",
      details: /read-only/,
    },
  ]) {
    test(`CreateVolume on ${title} is ${code} with the share and the remedy, and leaves nothing`, async (t) => {
      const { client, paths } = await startController(t);
      run("mount", "-t", "tmpfs", "-o", options, "small", paths.one);
      try {
        spoil(paths.one);
        const answer = outcomeOf(await client.call(rpc.createVolume, creation("new")));
        assert.equal(answer.code, code, answer.details);
        assert.match(answer.details, details);
        const all = readdirSync(paths.one, { recursive: true, encoding: "utf8" });
        const left = all.filter(
          (path) => path.includes("new") || /^\.berth\/(staging|trash|paths)\//.test(path),
        );
        assert.deepEqual(left, []);
      } finally {
        run("umount", "-l", paths.one);
      }
    });
  }
}
