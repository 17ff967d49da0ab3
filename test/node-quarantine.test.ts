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
  const request = { volumeId, source: { ...node.source, sharePath: join(hung.path, volumeId) } };
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

  test("as many helpers may be held as the bound says; then the node refuses all steps on local file systems, until one is let go", async () => {
    using node = new NodeFixture({ limits });
    using hung = await HungFileSystem.mount(join(node.root, "hung"));
    for (const volumeId of ["hung-1", "hung-2"]) {
      assert.equal(BerthError.from(await stageHung(node, hung, volumeId)).code, "deadline-exceeded");
    }
    await assert.rejects(node.stage(), {
      code: "unavailable",
      message:
        /^2 killed steps for local file systems wait in this node's kernel, as many as may: bring the storage back/,
    });
    assert.deepEqual(await node.mountsBelow(node.kubelet), []);
    hung.letGo();
    await eventually(() => node.stage(), "unavailable");
    assert.equal((await node.mountsBelow(node.kubelet)).length, 1);
  });

  test("steps that wait for one NFS server leave helpers to those of others", async () => {
    using hanging = new HangingHelpers({ helpersPerServerMax: 2, waitMsMax: 20 });
    const hung = [hanging.hang("a", "dead"), hanging.hang("b", "dead")];
    await assert.rejects(hanging.resolve("c", "dead"), {
      code: "unavailable",
      message: /2 steps wait for the NFS server dead/,
    });
    for (const server of ["living", undefined]) {
      assert.equal((await hanging.resolve("c", server)).output, "/etc\n");
    }
    hanging.giveUp();
    await Promise.all(hung.map((step) => assert.rejects(step, { code: "cancelled" })));
    assert.equal((await hanging.resolve("c", "dead")).output, "/etc\n");
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
      { ...nodeLimits, ...limits },
    );
    const step = { volumeId: "v", verb: "resolve", args: ["/etc"], timeoutMs: 1000 } as const;
    const caller = new AbortController();
    const late = helpers.run({ ...step, signal: caller.signal });
    caller.abort();
    await assert.rejects(late, { code: "cancelled" });
    assert.equal((await helpers.run(step)).output, "/etc\n");
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

  hang(volumeId: string, server?: string): Promise<Reply> {
    return this.#run("look", volumeId, server, this.#callers.signal);
  }

  resolve(volumeId: string, server?: string, signal?: AbortSignal): Promise<Reply> {
    return this.#run("resolve", volumeId, server, signal);
  }

  giveUp(): void {
    this.#callers.abort();
  }

  [Symbol.dispose](): void {
    this.#helpers.close();
  }

  #run(verb: Verb, volumeId: string, server?: string, signal?: AbortSignal): Promise<Reply> {
    const step = { volumeId, verb, args: ["/etc"], timeoutMs: 60_000 };
    return this.#helpers.run({ ...step, ...(server && { server }), ...(signal && { signal }) });
  }
}

/** Runs until it does not fail with `code`, at most for as long as the test may take. */
async function eventually(work: () => Promise<void>, code: string): Promise<void> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (BerthError.from(error).code !== code) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
