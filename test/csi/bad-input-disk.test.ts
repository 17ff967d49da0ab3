/** A share without room, or that nobody may write: the right code, a message that helps, nothing left over or lost. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { created, creation, type Fixture, rpc, startController } from "../support/edge-controller-harness.ts";
import { type Outcome, outcomeOf } from "../support/edge-node-harness.ts";
import { inMountNamespace } from "../support/mount-namespace.ts";
import { run } from "../support/node-fixture.ts";

/** A fault of the disk under a share. */
interface Fault {
  readonly title: string;
  /** Of the tmpfs. */
  readonly options: string;
  readonly spoil: (one: string) => void;
  readonly repair: (one: string) => void;
  /** What CreateVolume answers on a share that is as new, and on one that has volumes. */
  readonly code: string;
  readonly codeWhenUsed: string;
  readonly cause: string;
}

const noSpace = String.raw`no space left \(ENOSPC\): free some, or grow the file system`;

function fillWith(one: string, content: Uint8Array): void {
  try {
    for (let index = 0; ; index += 1) writeFileSync(join(one, `ballast-${index}`), content);
  } catch {
    // ENOSPC: now it is full
  }
}

function removeBallast(one: string): void {
  for (const name of readdirSync(one)) if (name.startsWith("ballast")) rmSync(join(one, name));
}

const faults: readonly Fault[] = [
  {
    title: "a full disk",
    options: "size=256k",
    spoil: (one) => fillWith(one, Buffer.alloc(4096)),
    repair: removeBallast,
    code: "RESOURCE_EXHAUSTED",
    codeWhenUsed: "RESOURCE_EXHAUSTED",
    cause: noSpace,
  },
  {
    title: "a disk without inodes left",
    options: "nr_inodes=60",
    spoil: (one) => fillWith(one, Buffer.alloc(0)),
    repair: removeBallast,
    code: "RESOURCE_EXHAUSTED",
    codeWhenUsed: "RESOURCE_EXHAUSTED",
    cause: noSpace,
  },
  {
    title: "a read-only share",
    options: "size=1m",
    spoil: (one) => run("mount", "-o", "remount,ro", one),
    repair: (one) => run("mount", "-o", "remount,rw", one),
    code: "FAILED_PRECONDITION",
    // It was writable once: whoever asked before may have begun the volume.
    codeWhenUsed: "UNAVAILABLE",
    cause: String.raw`the file system is read-only \(EROFS\): mount it read-write`,
  },
];

/** Works with a controller whose share is a file system of its own. */
async function onDisk(
  t: TestContext,
  { options }: Fault,
  work: (fixture: Fixture) => Promise<void>,
): Promise<void> {
  const fixture = await startController(t);
  run("mount", "-t", "tmpfs", "-o", options, "small", fixture.paths.one);
  try {
    await work(fixture);
  } finally {
    run("umount", "-l", fixture.paths.one); // before what the controller needs is removed
  }
}

function assertTold({ code, details }: Outcome, wanted: string, cause: string): void {
  assert.equal(code, wanted, details);
  assert.match(details, new RegExp(`^share one \\(/.*/one\\): cannot .*: ${cause}$`));
}

/** All files with what they hold, and the directories, but for those that every share has. */
function everything({ paths }: Fixture): string[] {
  const all = readdirSync(paths.one, { recursive: true, withFileTypes: true });
  return all
    .map((entry) => ({ at: join(entry.parentPath, entry.name), isFile: entry.isFile() }))
    .filter(({ at }) => !/\/\.berth(\/[a-z]+)?$/.test(at) && !at.includes("/ballast"))
    .map(({ at, isFile }) => `${at} ${isFile ? readFileSync(at, "utf8") : ""}`)
    .sort();
}

if (inMountNamespace()) {
  for (const fault of faults) {
    const { title, spoil, repair, code, codeWhenUsed, cause } = fault;

    describe(title, () => {
      test(`is ${code} to the first CreateVolume, which leaves nothing`, (t) =>
        onDisk(t, fault, async (fixture) => {
          spoil(fixture.paths.one);
          assertTold(outcomeOf(await fixture.client.call(rpc.createVolume, creation("new"))), code, cause);
          assert.deepEqual(everything(fixture), []);
        }));

      test(`is ${codeWhenUsed} to CreateVolume beside others, and UNAVAILABLE to growth: nothing changes`, (t) =>
        onDisk(t, fault, async (fixture) => {
          const { client, paths } = fixture;
          const volumeId = await created(client, "kept");
          writeFileSync(join(paths.one, "kept/data"), "precious");
          spoil(paths.one);
          const before = everything(fixture);
          const larger = { volumeId, capacityRange: { requiredBytes: 2n ** 40n } };
          assertTold(outcomeOf(await client.call(rpc.createVolume, creation("new"))), codeWhenUsed, cause);
          assertTold(outcomeOf(await client.call(rpc.controllerExpandVolume, larger)), "UNAVAILABLE", cause);
          assert.deepEqual(everything(fixture), before);
        }));

      test("is UNAVAILABLE to DeleteVolume, which loses nothing, and is done once the disk is well", (t) =>
        onDisk(t, fault, async (fixture) => {
          const { client, paths } = fixture;
          const volumeId = await created(client, "old");
          writeFileSync(join(paths.one, "old/data"), "precious");
          spoil(paths.one);
          assertTold(outcomeOf(await client.call(rpc.deleteVolume, { volumeId })), "UNAVAILABLE", cause);
          assert.equal(readFileSync(join(paths.one, "old/data"), "utf8"), "precious");
          repair(paths.one);
          assert.equal((await client.call(rpc.deleteVolume, { volumeId })).code, "OK");
          assert.deepEqual(readdirSync(paths.one), [".berth"]);
        }));
    });
  }
}
