/** What happens when commands are missing, hang, or take too long. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BerthError } from "../src/core/errors.ts";
import { nodeLimits } from "../src/node/node-limits.ts";
import { scratchDirectory } from "../tools/scratch.ts";
import { inMountNamespace } from "./support/mount-namespace.ts";
import { NodeFixture, newCall } from "./support/node-fixture.ts";

const systemPath = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Puts a command before the system's: it notes its process id, ignores SIGTERM, and does not end. */
function hangingCommand(directory: string, name: string): { path: string; pidFile: string } {
  const pidFile = join(directory, `${name}.pid`);
  mkdirSync(directory, { recursive: true });
  const script = `#!/bin/sh\ntrap '' TERM\necho $$ >${pidFile}.new; mv ${pidFile}.new ${pidFile}\nsleep 600\n`;
  writeFileSync(join(directory, name), script, { mode: 0o755 });
  return { path: `${directory}:${systemPath}`, pidFile };
}

async function appears(directory: string, file: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = watch(directory, () => existsSync(file) && resolve());
  try {
    if (existsSync(file)) resolve();
    await promise;
  } finally {
    watcher.close();
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** A process closes its pipes a moment before it counts as dead. */
async function dies(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve));
}

if (inMountNamespace()) {
  test("a node without mount(8) says what to install, and leaves no target", async () => {
    const bin = scratchDirectory("commands");
    for (const command of ["mkdir", "rmdir"]) symlinkSync(`/bin/${command}`, join(bin, command));
    using node = new NodeFixture({ env: { PATH: bin } });
    await assert.rejects(node.stage(), { code: "failed-precondition", message: /install util-linux/ });
    assert.deepEqual(await node.mountsBelow(), []);
  });

  test("a mount that hangs is killed with its group when its time is over, and nothing is left", async (t) => {
    const directory = scratchDirectory("commands");
    const { path, pidFile } = hangingCommand(directory, "mount");
    using node = new NodeFixture({ env: { PATH: path } });
    t.mock.timers.enable({ apis: ["setTimeout"] }); // its time is over once it hangs, and not before
    const staged = assert.rejects(node.stage(), { code: "deadline-exceeded" });
    await appears(directory, pidFile);
    t.mock.timers.tick(nodeLimits.stepMsMax);
    await staged;
    await dies(Number(readFileSync(pidFile, "utf8")));
    assert.deepEqual(await node.mountsBelow(), []);
  });

  test("a mount that hangs is killed when the caller gives up, and the next call starts afresh", async () => {
    const directory = scratchDirectory("commands");
    const { path, pidFile } = hangingCommand(directory, "mount");
    using node = new NodeFixture({ env: { PATH: path } });
    const caller = new AbortController();
    const staged = assert.rejects(node.stage({}, newCall(caller.signal)), { code: "cancelled" });
    await appears(directory, pidFile);
    caller.abort();
    await staged;
    await dies(Number(readFileSync(pidFile, "utf8")));
    rmSync(join(directory, "mount"));
    await node.stage();
  });

  test("stats are of the volume, and not-found where it is not mounted", async () => {
    using node = new NodeFixture();
    await node.stage();
    await node.publish("a");
    writeFileSync(join(node.share, "pvc-1/file"), Buffer.alloc(100_000, 1));
    const { volumeId, source } = node;
    const request = (path: string, size: bigint) => ({ volumeId, source, path, sizeBytes: async () => size });
    const { usage, message } = await node.stats.measure(request(node.target("a"), 1_000_000n), newCall());
    assert.equal(message, "measured now");
    assert.equal(usage.totalBytes, 1_000_000n);
    assert.ok(usage.usedBytes >= 100_000n && usage.usedBytes < 200_000n);
    assert.equal(usage.availableBytes, usage.totalBytes - usage.usedBytes);
    assert.equal(usage.usedInodes, 2n);
    const full = await node.stats.measure(request(node.staging, 10n), newCall());
    assert.equal(full.usage.availableBytes, 0n);
    for (const path of ["some/path", node.kubelet, node.target("b")]) {
      await assert.rejects(node.stats.measure(request(path, 1n), newCall()), { code: "not-found" });
    }
  });

  test("nothing is measured of a volume whose size cannot be read: no helper works for nobody", async () => {
    const { path: commands } = hangingCommand(scratchDirectory("commands"), "du");
    using node = new NodeFixture({ env: { PATH: commands }, limits: { helpersBusyMax: 1 } });
    await node.stage();
    const { volumeId, source, staging: path } = node;
    const sizeBytes = () => Promise.reject(new BerthError("not-found", "no record"));
    await assert.rejects(node.stats.measure({ volumeId, source, path, sizeBytes }, newCall()), {
      code: "not-found",
    });
    await node.unstage();
  });

  test("stats that take too long are the last known ones, and say how old they are", async () => {
    const directory = scratchDirectory("commands");
    // A shell remembers where it found a command: each step gets a new one.
    using node = new NodeFixture({
      env: { PATH: `${directory}:${systemPath}` },
      limits: { helpersIdleMax: 0 },
    });
    await node.stage();
    const { volumeId, source, staging: path } = node;
    const request = { volumeId, source, path, sizeBytes: async () => 1_000_000n };
    const known = await node.stats.measure(request, newCall());
    const { pidFile } = hangingCommand(directory, "du");
    const caller = new AbortController();
    const late = node.stats.measure(request, newCall(caller.signal));
    await appears(directory, pidFile);
    caller.abort();
    const { usage, message } = await late;
    assert.deepEqual(usage, known.usage);
    assert.match(message, /^measured [0-9]+ s ago: measuring the volume takes longer than the call may/);
  });

  test("stats that take too long are deadline-exceeded when none are known", async () => {
    const directory = scratchDirectory("commands");
    const { path: commands, pidFile } = hangingCommand(directory, "du");
    using node = new NodeFixture({ env: { PATH: commands } });
    await node.stage();
    const { volumeId, source, staging: path } = node;
    const caller = new AbortController();
    const request = { volumeId, source, path, sizeBytes: async () => 1_000_000n };
    const late = assert.rejects(node.stats.measure(request, newCall(caller.signal)), {
      code: "deadline-exceeded",
    });
    await appears(directory, pidFile);
    caller.abort();
    await late;
  });
}
