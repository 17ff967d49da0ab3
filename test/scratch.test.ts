/** What tests make is gone with them, however they are ended: also by a kill of the whole run. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { scratchDirectory } from "../tools/scratch.ts";

const root = join(import.meta.dirname, "..");

/** A test file that makes a directory, with a mount if it is told so, and then hangs. */
const hangs = `
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { scratchDirectory } from ${JSON.stringify(join(root, "tools/scratch.ts"))};

test("it hangs", async () => {
  const directory = scratchDirectory("hangs");
  mkdirSync(directory + "/deep/deeper", { recursive: true });
  writeFileSync(directory + "/deep/file", "");
  if (process.env.BIND !== undefined) execFileSync("mount", ["--bind", process.env.BIND, directory + "/deep/deeper"]);
  writeFileSync(process.env.READY, directory);
  await new Promise((resolve) => setTimeout(resolve, 60_000));
});
`;

interface Hanging {
  readonly runner: ChildProcess;
  /** Where its tests make what they need. */
  readonly temporary: string;
}

/** `node --test` in a process group of its own, in the middle of a test. */
async function startHanging(env: Readonly<Record<string, string>> = {}): Promise<Hanging> {
  const place = scratchDirectory("run");
  const temporary = join(place, "tmp");
  mkdirSync(temporary);
  const [file, ready] = [join(place, "hangs.test.ts"), join(place, "ready")];
  writeFileSync(file, hangs);
  const { NODE_TEST_CONTEXT: _, ...ours } = process.env;
  // What it mounts is seen by nobody else, as with every test that mounts.
  const runner = spawn("unshare", ["--mount", process.execPath, "--test", file], {
    env: { ...ours, TMPDIR: temporary, READY: ready, ...env },
    stdio: "ignore",
    detached: true,
  });
  await until(place, () => existsSync(ready));
  assert.equal(readdirSync(temporary).length, 1);
  return { runner, temporary };
}

async function until(directory: string, holds: () => boolean): Promise<void> {
  const watcher = watch(directory);
  try {
    while (!holds()) await once(watcher, "change", { signal: AbortSignal.timeout(20_000) });
  } finally {
    watcher.close();
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  assert.ok(pid !== undefined);
  process.kill(-pid, signal);
}

describe("of a run of tests nothing is left", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    test(`after ${signal} to its process group`, async () => {
      const { runner, temporary } = await startHanging();
      signalGroup(runner, signal);
      await until(temporary, () => readdirSync(temporary).length === 0);
    });
  }
});

test("what a killed test had mounted is unmounted, and what was mounted there stays", async () => {
  const other = scratchDirectory("other");
  writeFileSync(join(other, "precious"), "");
  const { runner, temporary } = await startHanging({ BIND: other });
  signalGroup(runner, "SIGKILL");
  await until(temporary, () => readdirSync(temporary).length === 0);
  assert.deepEqual(readdirSync(other), ["precious"]);
});

test("a process that is done ends at once, and its directory goes", async () => {
  const temporary = scratchDirectory("done");
  const script = `const { scratchDirectory } = await import(${JSON.stringify(join(root, "tools/scratch.ts"))});
    console.log(scratchDirectory("x"))`;
  const made = execFileSync(process.execPath, ["-e", script], {
    env: { ...process.env, TMPDIR: temporary },
    encoding: "utf8",
    timeout: 20_000,
  });
  assert.ok(made.startsWith(temporary));
  await until(temporary, () => readdirSync(temporary).length === 0);
});

test("nothing else makes temporary directories", () => {
  const makers = globSync("{src,test,tools,bench}/**/*.ts", { cwd: root }).filter((file) =>
    /\bmkdtemp/.test(readFileSync(join(root, file), "utf8")),
  );
  assert.deepEqual(makers, ["tools/scratch.ts"]);
});
