/** What is told of a change is durable by then: what a call waits for last is the share's `sync`. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { BerthError, hasCode } from "../../src/core/errors.ts";
import { limits } from "../../src/core/limits.ts";
import { silentLog } from "../../src/core/log.ts";
import type { Share } from "../../src/share/share.ts";
import { parseOvercommit } from "../../src/volumes/overcommit.ts";
import { Reaper } from "../../src/volumes/reaper.ts";
import { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { hookedShare } from "../support/hooked-share.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const unused = () => new Error("no step fails here");

/** A share that notes its changing steps, and does something else for `sync`. */
function watched(
  share: Share,
  sync: () => Promise<void> = () => share.sync(),
): { readonly share: Share; readonly steps: string[] } {
  const steps: string[] = [];
  const noting = hookedShare(
    share,
    (_, operation) => {
      steps.push(operation);
      return "done";
    },
    unused,
  );
  const syncing = new Proxy(noting, {
    get(target, key) {
      if (key !== "sync") return Reflect.get(target, key, target);
      return () => {
        steps.push("sync");
        return sync();
      };
    },
  });
  return { share: syncing, steps };
}

/** Volumes seen through a share that is watched. */
function seen(fixture: VolumeFixture, sync?: () => Promise<void>) {
  const { share, steps } = watched(fixture.share, sync);
  const since = async (work: () => Promise<unknown>): Promise<string[]> => {
    steps.length = 0;
    await work();
    return [...steps];
  };
  return { volumes: fixture.through(share), share, since };
}

/** One `sync`, after every other step. */
function assertDurable(steps: readonly string[], what: string): void {
  assert.equal(steps.indexOf("sync"), steps.length - 1, `${what}: ${steps.join(", ")}`);
}

const larger = { requiredBytes: 5000n, limitBytes: 0n };

test("every change is durable before it is answered, and so is what was found done", async () => {
  using fixture = new VolumeFixture();
  const { volumes, since } = seen(fixture);
  const changes: Readonly<Record<string, () => Promise<unknown>>> = {
    create: () => volumes.create(newCall(), requestFor("a", { trashRetentionMs: 3_600_000 })),
    expand: () => volumes.expand(newCall(), idOf("a"), larger),
    delete: () => volumes.delete(newCall(), idOf("a")),
  };
  for (const [what, change] of Object.entries(changes)) {
    assertDurable(await since(change), what);
    if (what !== "create") assertDurable(await since(change), `${what} once more`);
  }
  assertDurable(await since(() => volumes.restore(newCall(), idOf("a").name)), "restore");
  assertDurable(await since(() => volumes.create(newCall(), requestFor("b"))), "create");
  const again = await since(() => volumes.create(newCall(), requestFor("b")));
  assert.deepEqual(again, ["makeDirectory", "sync"], "another process may have made it a moment ago");
});

test("who only looks waits for nothing to become durable", async () => {
  using fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), requestFor("a"));
  const { volumes, since } = seen(fixture);
  const steps = await since(() =>
    Promise.all([
      volumes.get(newCall(), idOf("a")),
      volumes.list(newCall(), undefined, 10),
      volumes.trash(newCall()),
      volumes.space(newCall()),
      volumes.inspect(newCall(), idOf("a")),
      volumes.room(newCall(), { overcommit: "2" }),
    ]),
  );
  assert.deepEqual(steps, []);
});

test("a refusal waits for what it has taken back, and for nothing else", async () => {
  using fixture = new VolumeFixture();
  const { volumes, share, since } = seen(fixture);
  await volumes.create(newCall(), requestFor("a"));
  const other = requestFor("a", { parameters: { type: "directory", mode: "0700" } });
  const refused = (code: "already-exists" | "resource-exhausted", work: Promise<unknown>) =>
    assert.rejects(work, (reason) => hasCode(reason, code));
  const steps = await since(() => refused("already-exists", volumes.create(newCall(), other)));
  assert.deepEqual(steps, ["makeDirectory"], "which finds the record's directory");
  const context = { ...fixture.context, share, overcommit: parseOvercommit("1") };
  const limited = new ShareVolumes(context);
  const huge = requestFor("huge", { capacity: { requiredBytes: 2n ** 62n, limitBytes: 0n } });
  assertDurable(
    await since(() => refused("resource-exhausted", limited.create(newCall(), huge))),
    "taken back",
  );
});

test("where nothing was ever done there is nothing to wait for", async () => {
  using fixture = new VolumeFixture();
  const { volumes } = seen(fixture);
  mkdirSync(fixture.at("a"));
  await assert.rejects(volumes.create(newCall(), requestFor("a")), { code: "already-exists" });
});

test("a change that does not become durable has failed, and can be asked for again", async () => {
  using fixture = new VolumeFixture();
  const broken = new BerthError("storage-io", "the disk is broken");
  const { volumes } = seen(fixture, () => Promise.reject(broken));
  const changes = [
    (on: ShareVolumes, call = newCall()) => on.create(call, requestFor("a")),
    (on: ShareVolumes, call = newCall()) => on.expand(call, idOf("a"), larger),
    (on: ShareVolumes, call = newCall()) => on.delete(call, idOf("a")),
  ];
  for (const change of changes) {
    const call = newCall();
    await assert.rejects(change(volumes, call), broken);
    assert.equal(call.effects.begun, true, "no answer is final");
    await change(fixture.volumes);
  }
});

test("a refusal that does not become durable is none", async () => {
  using fixture = new VolumeFixture();
  const broken = new BerthError("storage-io", "the disk is broken");
  const { share } = watched(fixture.share, () => Promise.reject(broken));
  const limited = new ShareVolumes({ ...fixture.context, share, overcommit: parseOvercommit("1") });
  const huge = requestFor("huge", { capacity: { requiredBytes: 2n ** 62n, limitBytes: 0n } });
  await assert.rejects(limited.create(newCall(), huge), broken);
});

test("a share that never says that a change is durable is given up before the caller's deadline", async () => {
  using fixture = new VolumeFixture();
  const { volumes } = seen(fixture, () => new Promise(() => {}));
  const call = { ...newCall(), deadlineMs: performance.now() + 1000 + limits.answerMsMax };
  await assert.rejects(volumes.create(call, requestFor("a")), {
    code: "storage-unavailable",
    message: /^share test .*: no answer for 1 s/,
  });
  assert.equal((await fixture.volumes.create(newCall(), requestFor("a"))).state, "ready");
});

test("the reaper tells of what it has removed when that will not come back", async () => {
  using fixture = new VolumeFixture();
  const { share, since } = seen(fixture);
  const reaper = new Reaper({ ...fixture.context, share }, { intervalMs: 1, stagingGraceMs: 0 }, silentLog);
  const pass = () => reaper.pass(new AbortController().signal);
  assert.deepEqual(await since(pass), [], "nothing was ever made here");
  await fixture.volumes.create(newCall(), requestFor("a"));
  await pass(); // makes the reserve, which nobody is told of
  mkdirSync(fixture.at("a/full"));
  await fixture.volumes.delete(newCall(), idOf("a"));
  assertDurable(await since(pass), "reaped");
  assert.deepEqual(await since(pass), []);
});
