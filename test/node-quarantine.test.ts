/** What becomes of volumes whose storage holds their helpers beyond SIGKILL. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BerthError } from "../src/core/errors.ts";
import { parseVolumeName } from "../src/core/volume-id.ts";
import type { Reply, Verb } from "../src/node/helpers/helper-script.ts";
import { Helpers } from "../src/node/helpers/helpers.ts";
import { type NodeLimits, nodeLimits } from "../src/node/node-limits.ts";
import { scratchDirectory } from "../tools/scratch.ts";
import { HungFileSystem } from "./support/hung-file-system.ts";
import { inMountNamespace } from "./support/mount-namespace.ts";
import { NodeFixture, newCall } from "./support/node-fixture.ts";

const limits = { killMsMax: 50, helpersStuckMax: 2 };

/** Stages a volume of a share that is hung, until its helper is held and the caller has given up. */
async function stageHung(node: NodeFixture, hung: HungFileSystem, volumeId: string): Promise<unknown> {
  const caller = new AbortController();
  const source = { ...node.source, shareName: "hung", sharePath: join(hung.path, volumeId) };
  const request = { volumeId, source };
  const staged = node.stage(request, newCall(caller.signal)).then(
    () => "staged",
    (error: unknown) => error,
  );
  await hung.takeLookup();
  caller.abort(new BerthError("deadline-exceeded", "the caller's time is over"));
  return await staged;
}

if (inMountNamespace()) {
  test("a volume whose helper cannot be killed is kept back, others go on, until its storage lets go", async () => {
    using node = new NodeFixture({ limits });
    using hung = await HungFileSystem.mount(join(node.root, "hung"));
    const first = await stageHung(node, hung, "hung-1");
    assert.ok(first instanceof BerthError);
    assert.equal(first.code, "deadline-exceeded");
    assert.match(first.message, /volume hung-1: .* which was killed: retry/);

    // Not one more process is started for it, whatever is asked.
    const { source, staging: path } = node;
    for (const call of [
      () => node.stage({ volumeId: "hung-1" }),
      () => node.publish("a", { volumeId: "hung-1" }),
      () => node.volumes.unpublish({ volumeId: "hung-1", source, path: node.target("a") }, newCall()),
      () => node.volumes.unstage({ volumeId: "hung-1", source, path }, newCall()),
      () => node.stats.measure({ volumeId: "hung-1", source, path, sizeBytes: async () => 1n }, newCall()),
    ]) {
      await assert.rejects(call(), {
        code: "aborted",
        message: /volume hung-1: a killed step of it still waits in the kernel: bring its storage back/,
      });
    }
    await node.stage();
    await node.publish("a");
    await node.unpublish("a");
    await node.unstage();

    hung.letGo();
    await eventually(() => node.stage({ volumeId: "hung-1" }), "aborted");
    assert.equal((await node.mountsBelow(node.staging)).length, 0);
    assert.equal((await node.mountsBelow(node.kubelet)).length, 1);
  });

  test("as many helpers may be held as the bound says; then their share is refused until one is let go, and no other", async () => {
    using node = new NodeFixture({ limits });
    using hung = await HungFileSystem.mount(join(node.root, "hung"));
    for (const volumeId of ["hung-1", "hung-2"]) {
      assert.equal(BerthError.from(await stageHung(node, hung, volumeId)).code, "deadline-exceeded");
    }
    const source = { ...node.source, shareName: "hung" };
    const third = () => node.stage({ volumeId: "hung-3", source });
    await assert.rejects(third(), {
      code: "unavailable",
      message:
        /^2 killed steps for share hung wait in this node's kernel, as many as may: bring the storage back/,
    });
    assert.deepEqual(await node.mountsBelow(node.kubelet), []);
    await node.stage();
    await node.unstage();
    hung.letGo();
    await eventually(third, "unavailable");
    assert.equal((await node.mountsBelow(node.kubelet)).length, 1);
  });

  test("steps that wait for one share or server leave helpers to those of others", async () => {
    using hanging = new HangingHelpers({ helpersPerStorageMax: 2, waitMsMax: 20 });
    const hung = [hanging.hang("a", "share dead"), hanging.hang("b", "share dead")];
    const refusal = { code: "unavailable", message: /2 steps wait for share dead, as many as may: look/ };
    await assert.rejects(hanging.resolve("c", "share dead"), refusal);
    for (const storage of ["share living", undefined]) {
      assert.equal((await hanging.resolve("c", storage)).output, "/etc\n");
    }
    // Nothing has ended for as long as one waits: the next one is told at once.
    const next = hanging.resolve("d", "share dead").catch(BerthError.from);
    const soon = new Promise((resolve) => setImmediate(resolve, "later"));
    assert.match(String(await Promise.race([next, soon])), refusal.message);
    hanging.giveUp();
    await Promise.all(hung.map((step) => assert.rejects(step, { code: "cancelled" })));
    assert.equal((await hanging.resolve("c", "share dead")).output, "/etc\n");
  });

  test("one volume holds no more helpers than its bound says, whatever it waits for", async () => {
    using hanging = new HangingHelpers({ helpersPerVolumeMax: 2, waitMsMax: 20 });
    const hung = [hanging.hang("a"), hanging.hang("a", "share one")];
    await assert.rejects(hanging.resolve("a", "share two"), {
      code: "unavailable",
      message: /^2 steps wait for volume a, as many as may: look whether it answers; retry$/,
    });
    assert.equal((await hanging.resolve("b")).output, "/etc\n");
    hanging.giveUp();
    await Promise.all(hung.map((step) => assert.rejects(step, { code: "cancelled" })));
  });

  test("the volumes of a hung share hold some helpers, and all others go on", async () => {
    const callers = new AbortController();
    using node = new NodeFixture({
      limits: { ...limits, helpersBusyMax: 3, helpersPerStorageMax: 2, waitMsMax: 20 },
    });
    using hung = await HungFileSystem.mount(join(node.root, "hung"));
    const stage = (volumeId: string) => {
      const source = { ...node.source, shareName: "hung", sharePath: join(hung.path, volumeId) };
      return node.stage({ volumeId, source }, newCall(callers.signal));
    };
    const held = ["hung-1", "hung-2"].map((volumeId) =>
      assert.rejects(stage(volumeId), { code: "cancelled" }),
    );
    for (const _ of held) await hung.takeLookup();
    await assert.rejects(stage("hung-3"), { code: "unavailable", message: /2 steps wait for share hung/ });
    await node.stage();
    await node.publish("a");
    assert.equal((await node.mountsBelow(node.kubelet)).length, 2);
    callers.abort();
    await Promise.all(held);
  });

  test("a step waits for a helper when all are at work, unless its caller gives up", async () => {
    using hanging = new HangingHelpers({ helpersBusyMax: 1 });
    const hung = hanging.hang("a");
    const caller = new AbortController();
    const impatient = hanging.resolve("b", "dead", caller.signal);
    const waiting = hanging.resolve("c");
    caller.abort();
    await assert.rejects(impatient, { code: "cancelled" });
    hanging.giveUp();
    await assert.rejects(hung, { code: "cancelled" });
    assert.equal((await waiting).output, "/etc\n");
  });

  test("calls that come all at once are served by few helpers, and none is refused", async () => {
    using node = new NodeFixture({ limits: { helpersBusyMax: 2 } });
    const names = Array.from({ length: 12 }, (_, index) => `pvc-${index + 10}`);
    for (const name of names) node.addVolume(name);
    await Promise.all(
      names.map((name) => {
        const source = { ...node.source, name: parseVolumeName(name) };
        const stagingPath = join(node.kubelet, `plugins/${name}/globalmount`);
        return node.stage({ volumeId: `directory/bind/${name}/default`, source, stagingPath });
      }),
    );
    assert.equal((await node.mountsBelow(node.kubelet)).length, names.length);
  });

  test("a kill that fails, as one of a group that is gone does, holds nobody back for longer", async () => {
    const helpers = new Helpers(
      {
        killGroup: (leaderPid) => {
          process.kill(-leaderPid, "SIGKILL");
          throw new Error("kill ESRCH");
        },
      },
      nodeLimits,
    );
    const step = { volumeId: "v", verb: "resolve", args: ["/etc"], timeoutMs: 60_000 } as const;
    const caller = new AbortController();
    const late = helpers.run({ ...step, signal: caller.signal });
    caller.abort();
    await assert.rejects(late, { code: "cancelled" });
    // As long as the killed one is not gone, its volume is kept back.
    assert.equal((await eventually(() => helpers.run(step), "aborted")).output, "/etc\n");
    helpers.close();
  });
}

/** Helpers, some of which hang until they are given up. */
class HangingHelpers implements Disposable {
  readonly #helpers: Helpers;
  readonly #commands = scratchDirectory("commands");
  readonly #callers = new AbortController();

  constructor(limits: Partial<NodeLimits>) {
    writeFileSync(join(this.#commands, "stat"), "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
    const killGroup = (leaderPid: number) => void process.kill(-leaderPid, "SIGKILL");
    const env = { PATH: `${this.#commands}:/usr/sbin:/usr/bin:/sbin:/bin` };
    this.#helpers = new Helpers({ killGroup, env }, { ...nodeLimits, ...limits });
  }

  hang(volumeId: string, storage?: string): Promise<Reply> {
    return this.#run("look", volumeId, storage, this.#callers.signal);
  }

  resolve(volumeId: string, storage?: string, signal?: AbortSignal): Promise<Reply> {
    return this.#run("resolve", volumeId, storage, signal);
  }

  giveUp(): void {
    this.#callers.abort();
  }

  [Symbol.dispose](): void {
    this.#helpers.close();
  }

  #run(verb: Verb, volumeId: string, storage?: string, signal?: AbortSignal): Promise<Reply> {
    const step = { volumeId, verb, args: ["/etc"], timeoutMs: 60_000 };
    return this.#helpers.run({ ...step, ...(storage && { storage }), ...(signal && { signal }) });
  }
}

/** Runs until it does not fail with `code`, at most for as long as the test may take. */
async function eventually<T>(work: () => Promise<T>, code: string): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (BerthError.from(error).code !== code) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
