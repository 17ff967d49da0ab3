import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import { newCall, requestFor, VolumeFixture } from "../../test/support/volume-fixture.ts";
import { BerthError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { AnySteps, Share, ShareEntry } from "../share/share.ts";
import { parseSharePath } from "../share/share-path.ts";
import { outcomeOf } from "../share/steps.ts";
import { CallShare } from "./call-share.ts";

const path = parseSharePath("a");
const unavailable = { code: "storage-unavailable", message: /^share test .*: no answer for \d+ s/ };

/** A share whose looks take so long; for ever unless given. */
function slowShare({ share }: VolumeFixture, ms?: number): Share {
  const look = () => (ms === undefined ? new Promise<never>(() => {}) : delay(ms));
  return new Proxy(share, {
    get(target, key) {
      if (key === "stat") {
        return async () => {
          await look();
          return await target.stat(parseSharePath("b"));
        };
      }
      if (key === "list") {
        return async function* (): AsyncIterable<ShareEntry> {
          for (const name of ["a", "b", "c", "d"]) {
            await look();
            yield { name, type: "file" };
          }
        };
      }
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

const deadlineIn = (ms: number) => ({ ...newCall(), deadlineMs: performance.now() + ms });

test("a share that does not answer is given up before the caller's deadline, and so is the rest of the call", async () => {
  using fixture = new VolumeFixture();
  const deadlineMs = 1000 + limits.answerMsMax;
  const share = new CallShare(slowShare(fixture), deadlineIn(deadlineMs));
  const both = Promise.allSettled([share.stat(path), share.await(new Promise<never>(() => {}))]);
  // Timers fire in their order however busy the machine is; what one has begun is done a turn later.
  const deadline = delay(deadlineMs, []).then(async (nothing) => await turn(nothing));
  const statuses = (await Promise.race([both, deadline])).map(({ status }) => status);
  assert.deepEqual(statuses, ["rejected", "rejected"], "before the deadline");
  await assert.rejects(share.makeDirectory(path, 0o700), unavailable);
  assert.deepEqual(fixture.left(), []);
  await share.close();
});

test("a step of a caller that has gone ends soon after", async () => {
  using fixture = new VolumeFixture();
  const leave = new AbortController();
  const share = new CallShare(slowShare(fixture), { ...newCall(), signal: leave.signal });
  const step = share.stat(path);
  leave.abort();
  await assert.rejects(step, unavailable);
  await share.close();
});

test("a share that is slow and answers is given its time, whatever the deadline", async () => {
  using fixture = new VolumeFixture();
  await fixture.share.makeDirectory(parseSharePath("b"), 0o700);
  const share = new CallShare(slowShare(fixture, limits.silenceMsMin / 2), deadlineIn(0));
  assert.equal((await share.stat(path)).type, "directory");
  const names: string[] = [];
  for await (const { name } of share.list(path)) names.push(name);
  assert.deepEqual(names, ["a", "b", "c", "d"]);
  await share.close();
});

test("whoever waits in line behind calls that a silent share holds up hears of it in time, and locks nothing after", async () => {
  using fixture = new VolumeFixture();
  const volumes = fixture.through(slowShare(fixture));
  const names = Array.from({ length: limits.volumeChangesAtOnceMax + 1 }, (_, index) => `pvc-${index}`);
  const create = (name: string) =>
    volumes.create(deadlineIn(1000 + limits.answerMsMax), requestFor(name)).then(
      () => "made",
      (reason: unknown) => BerthError.from(reason).message,
    );
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const messages = await Promise.all(names.map(create));
    const last = messages.pop() ?? "";
    const many = `${limits.volumeChangesAtOnceMax} other volumes are being changed, and none was done`;
    assert.match(last, new RegExp(`share test .*(${many}|no answer for \\d+ s)`));
    for (const message of messages) assert.match(message, /share test .*: no answer for \d+ s/);
  }
});

test("what a share can tell of its silence is told, also of steps that were asked for together", async () => {
  using fixture = new VolumeFixture();
  const silent: Share = new Proxy(fixture.share, {
    get(target, key) {
      if (key === "inOrder") {
        return async (_steps: AnySteps, signal: AbortSignal) => {
          await once(signal, "abort");
          return outcomeOf([], new BerthError("cancelled", "the server is silent"));
        };
      }
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const creation = fixture.through(silent).create(deadlineIn(1000 + limits.answerMsMax), requestFor("a"));
  await assert.rejects(creation, {
    code: "storage-unavailable",
    message: /^share test .*: no answer for \d+ s: the server is silent; it is safe to try again$/,
  });
});
