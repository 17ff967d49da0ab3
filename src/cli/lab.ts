import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { systemClock } from "../core/clock.ts";
import { BerthError } from "../core/errors.ts";

interface DemoFlags {
  readonly trace?: string;
  readonly nodes: number;
  readonly manifests?: string;
  /** Set by ourselves, within the namespaces. */
  readonly inside?: true;
}

/** Six rules, one of them about two nodes; the lanes of more would leave no room for text. */
const nodesMin = 2;
const nodesMax = 12;
const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** On a terminal: a breath between two steps. */
const pauseMs = 400;

/** `berth lab`: a small cluster on this machine. */
export function labCommand(): Command {
  return new Command("lab")
    .description("a small cluster on this machine, to watch the driver at work")
    .addCommand(demoCommand());
}

function demoCommand(): Command {
  return new Command("demo")
    .description("the life of one volume, call by call, and whether its six invariants hold")
    .addOption(new Option("--trace <file>", "write every call as a line of JSON"))
    .addOption(
      new Option("--nodes <count>", `how many nodes, ${nodesMin} to ${nodesMax}`)
        .default(3)
        .argParser(parseNodes),
    )
    .addOption(
      new Option(
        "--manifests <dir>",
        "CSIDriver, StorageClass, claim and Deployment (default: Berth's examples)",
      ),
    )
    .addOption(new Option("--inside").hideHelp())
    .addHelpText("after", explanation)
    .action(async (flags: DemoFlags) => {
      process.exitCode = flags.inside === true ? await inside(flags) : await outside();
    });
}

const explanation = `
Starts one berth controller and a berth node for each node, all real processes,
and calls them as Kubernetes would: a claim is made, its Deployment scaled
0, 1, 4, 5, 4, 0, and the claim deleted. Needs Linux and util-linux; as root, or
as a user who may make user namespaces. All of it, mounts and files too, is gone
when the command ends, in whatever way.

Exit codes: 0 all invariants hold, 1 one does not or the driver failed,
2 bad usage, 130 Ctrl-C.

Example: berth lab demo --trace calls.jsonl`;

/** Runs this very command again, in namespaces that end with it. */
async function outside(): Promise<number> {
  const { runSandboxed } = await import("../lab/machine/sandbox.ts");
  const command = [...thisProgram(), ...process.argv.slice(2), "--inside"];
  const stop = new AbortController();
  for (const signal of stopSignals) process.on(signal, () => stop.abort(signal));
  const isRoot = process.getuid?.() === 0;
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

async function inside(flags: DemoFlags): Promise<number> {
  if (process.pid !== 1) {
    throw new BerthError("invalid-argument", "--inside is for the lab itself: leave it out");
  }
  const { runDemo } = await import("../lab/demo/demo.ts");
  // Drivers and pods still run at the end; the kernel ends them with us, who are their first process.
  process.exit(
    await demoExitCode(() =>
      runDemo({
        program: thisProgram(),
        manifestsDirectory: resolve(flags.manifests ?? examplesDirectory()),
        nodeCount: flags.nodes,
        ...(flags.trace === undefined ? {} : { traceFile: resolve(flags.trace) }),
        write: (text) => process.stdout.write(text),
        colour: process.stdout.isTTY && !process.env["NO_COLOR"],
        pauseMs: process.stdout.isTTY ? pauseMs : 0,
        clock: systemClock,
        elapsedMs: () => performance.now(),
      }),
    ),
  );
}

async function demoExitCode(demo: () => Promise<boolean>): Promise<number> {
  try {
    return (await demo()) ? 0 : 1;
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

/** `node [flags] main.ts`, or `node berth.js`. */
function thisProgram(): [string, ...string[]] {
  return [process.execPath, ...process.execArgv, resolve(process.argv[1] ?? "")];
}

/** Beside the sources, or beside the bundle's directory. */
function examplesDirectory(): string {
  const candidates = ["../examples", "../../examples"].map((path) => join(import.meta.dirname, path));
  const found = candidates.find((directory) => existsSync(join(directory, "deployment.yaml")));
  if (found !== undefined) return found;
  throw new BerthError(
    "invalid-argument",
    `Berth's examples are not beside ${dirname(process.argv[1] ?? "")}: name a directory with --manifests`,
  );
}

function parseNodes(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= nodesMin && count <= nodesMax) return count;
  throw new InvalidArgumentError(`Give a whole number from ${nodesMin} to ${nodesMax}.`);
}
