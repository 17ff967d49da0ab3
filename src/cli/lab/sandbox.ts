/** The lab runs in namespaces that end with it: this very command is run again in them. */
import { constants } from "node:os";
import { resolve } from "node:path";
import { Option } from "commander";
import { BerthError } from "../../core/errors.ts";
import type { Program } from "../../lab/site/site.ts";

/** Set by ourselves, within the namespaces: who we are outside of them. */
export interface InsideFlag {
  readonly inside?: "root" | "user";
}

export const insideOption = () => new Option("--inside <who>").choices(["root", "user"]).hideHelp();

const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs this command again, in namespaces that end with it. @returns its exit code */
export async function outside(): Promise<number> {
  const { runSandboxed } = await import("../../lab/machine/sandbox.ts");
  const isRoot = process.getuid?.() === 0;
  const inside = ["--inside", isRoot ? "root" : "user"];
  const { node, flags, bundle } = thisProgram();
  const command = [node, ...flags, bundle, ...process.argv.slice(2), ...inside];
  const stop = new AbortController();
  for (const signal of stopSignals) process.on(signal, () => stop.abort(signal));
  const exitCode = await runSandboxed(command, {
    isRoot,
    stop: stop.signal,
    kill: (pid) => process.kill(pid, "SIGKILL"),
    stderr: process.stderr,
  });
  const stoppedBy = stopSignals.find((signal) => signal === stop.signal.reason);
  if (stoppedBy === undefined) return exitCode;
  process.stderr.write(`\nberth: stopped by ${stoppedBy}; no process, mount or file of the lab is left\n`);
  return 128 + constants.signals[stoppedBy];
}

/** Within the namespaces. Drivers and pods may still run when `work` is done: the kernel ends them with us. */
export async function inside(work: () => Promise<boolean>): Promise<never> {
  if (process.pid !== 1) {
    throw new BerthError("invalid-argument", "--inside is for the lab itself: leave it out");
  }
  process.exit(await exitCodeOf(work));
}

/** `node [flags] berth.js`. Guests take eight seconds to read the single sources, and two for the bundle. */
export function thisProgram(): Program {
  const bundle = resolve(process.argv[1] ?? "");
  if (bundle.endsWith(".ts")) {
    throw new BerthError(
      "invalid-argument",
      "the lab runs the program as it ships: make build, and use dist/berth.js",
    );
  }
  return { node: process.execPath, flags: process.execArgv, bundle };
}

async function exitCodeOf(work: () => Promise<boolean>): Promise<number> {
  try {
    return (await work()) ? 0 : 1;
  } catch (caught) {
    const reason = whyAborted(caught);
    const text =
      reason instanceof BerthError ? reason.message : String(reason instanceof Error ? reason.stack : reason);
    process.stderr.write(`berth: ${text}\n`);
    return reason instanceof BerthError && reason.code === "invalid-argument" ? 2 : 1;
  }
}

/** Node's timers wrap the reason of the signal that ends them. */
function whyAborted(reason: unknown): unknown {
  return reason instanceof Error && reason.name === "AbortError" ? (reason.cause ?? reason) : reason;
}
