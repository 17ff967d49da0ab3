/** `berth lab demo` as a process, and what it might leave behind. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { bundledProgram } from "./bundled.ts";

export type Demo = ChildProcess & { readonly output: () => string };

export async function startDemo(...args: string[]): Promise<Demo> {
  const { node, bundle } = await bundledProgram();
  const child = spawn(node, [bundle, "lab", "demo", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return Object.assign(child, { output: () => output });
}

/** It ends, and says so, with all six invariants kept. */
export async function assertKeepsAll(demo: Demo): Promise<void> {
  const [code] = await once(demo, "close");
  const lines = demo.output().trimEnd().split("\n");
  assert.equal(code, 0, demo.output());
  assert.equal(lines.at(-1)?.trim(), "6 of 6 invariants hold");
  assert.deepEqual(
    lines.filter((line) => [...line].length > 80),
    [],
    "every line fits into 80 columns",
  );
}

/** Resolves once the demo is in its middle: a pod writes, its volume is mounted. */
export async function untilMounted(demo: Demo): Promise<void> {
  await untilSaid(demo, "NodePublishVolume");
}

export async function untilSaid(demo: Demo, text: string): Promise<void> {
  const closed = once(demo, "close");
  while (!demo.output().includes(text)) {
    assert.ok(demo.exitCode === null && demo.signalCode === null, demo.output());
    await Promise.race([once(demo.stdout ?? demo, "data"), closed]);
  }
}

/** All processes below one, at whatever depth. */
export function descendantsOf(pid: number | undefined): number[] {
  const found = childrenOf(pid);
  return [...found, ...found.flatMap(descendantsOf)];
}

/** The words of a process's command line; none when it has ended. */
export function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  } catch {
    return [];
  }
}

/** Resolves when a process is gone: the kernel takes a moment between its kill and its end. */
export async function untilGone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await new Promise(setImmediate);
}

/** What is mounted where this process runs. To compare it, run in a namespace of one's own: others mount too. */
export function ownMounts(): string {
  return readFileSync("/proc/self/mountinfo", "utf8");
}

function childrenOf(pid: number | undefined): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return children.split(" ").filter(Boolean).map(Number);
  } catch {
    return []; // it has ended meanwhile
  }
}
