import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import type { JobOrder, JobResult } from "./job.ts";
import type { Times } from "./table.ts";

const run = promisify(execFile);

/** Bundles the measured process, with the flags that the program ships with. @returns its command, for here and for a guest */
export async function measuredCommand(directory: string): Promise<readonly string[]> {
  const outfile = join(directory, "worker.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "worker.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    logLevel: "warning",
  });
  return [process.execPath, ...shippedFlags(), outfile];
}

/** From the first line of the program: `#!/usr/bin/env -S node …`. */
function shippedFlags(): readonly string[] {
  const program = join(import.meta.dirname, "..", "..", "dist", "berth.js");
  const [line = ""] = readFileSync(program, "utf8").split("\n", 1);
  return line.split(" ").slice(line.split(" ").indexOf("node") + 1);
}

/** A job in a process of its own, and how much CPU the server's process used meanwhile. */
export async function measure(
  command: readonly string[],
  order: JobOrder,
  serverPid?: number,
): Promise<JobResult & Times> {
  const [program = "", ...words] = command;
  const serverBefore = cpuMsOf(serverPid);
  const machineBefore = machineCpuMs();
  const startMs = performance.now();
  const { stdout } = await run(program, [...words, JSON.stringify(order)]);
  const runMs = performance.now() - startMs;
  const result: JobResult = JSON.parse(stdout);
  const machineShare = (machineCpuMs() - machineBefore) / runMs; // the start of Node.js included
  const serverCpuMs = serverPid === undefined ? undefined : cpuMsOf(serverPid) - serverBefore;
  return { ...result, serverCpuMs, machineCpuMs: machineShare * result.ms };
}

/** What was not idle of all CPUs together since the machine started, also what its host took away. */
function machineCpuMs(): number {
  const [line = ""] = readFileSync("/proc/stat", "latin1").split("\n");
  const [, user, nice, system, , , irq, softirq, steal] = line.split(/ +/).map(Number);
  return (
    [user, nice, system, irq, softirq, steal].reduce<number>((sum, ticks) => sum + (ticks ?? 0), 0) *
    msPerTick
  );
}

const msPerTick = 10;

/** User and system time of a process with all its threads (proc(5)). */
function cpuMsOf(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * msPerTick;
}
