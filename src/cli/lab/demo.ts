import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Command, Option } from "commander";
import { BerthError } from "../../core/errors.ts";
import type { Tier } from "../../lab/site/site.ts";
import { type LabFlags, nodesOption, tierOption } from "./lab-options.ts";
import { stay } from "./run.ts";
import { type InsideFlag, inside, insideOption, outside, thisProgram } from "./sandbox.ts";

interface DemoFlags extends LabFlags, InsideFlag {
  readonly trace?: string;
  readonly manifests?: string;
  readonly keep?: true;
}

/** On a terminal: a breath between two steps. */
const pauseMs = 400;

/** `berth lab demo` */
export function demoCommand(): Command {
  return new Command("demo")
    .description("the life of one volume, call by call, and whether its six invariants hold")
    .addOption(tierOption())
    .addOption(nodesOption(2))
    .addOption(new Option("--trace <file>", "write every call as a line of JSON"))
    .addOption(
      new Option(
        "--manifests <dir>",
        "CSIDriver, StorageClass, claim and Deployment (default: Berth's examples)",
      ),
    )
    .addOption(new Option("--keep", "let the lab run on afterwards, until Ctrl-C"))
    .addOption(insideOption())
    .addHelpText("after", explanation)
    .action(async (flags: DemoFlags) => {
      if (flags.inside === undefined) process.exitCode = await outside();
      else await inside(() => demo(flags, flags.inside === "root"));
    });
}

const explanation = `
Starts one berth controller and a berth node for each node, all real processes,
and calls them as Kubernetes would: a claim is made, its Deployment scaled
0, 1, 4, 5, 4, 0, and the claim deleted. All of it, machines, mounts and files,
is gone when the command ends, in whatever way.

The tiers, best first; without --tier the best is taken that this machine can
have, and the demo says why it is not a better one:
  guests      user-mode Linux: a kernel for each node, and one that serves NFS
              (amd64, root, packages of Debian)
  namespaces  this machine's own NFS client, and NFS-Ganesha (root, packages)
  directory   a local directory instead of NFS (util-linux; root, or a user who
              may make user namespaces)

Exit codes: 0 all invariants hold, 1 one does not or the driver failed,
2 bad usage, 130 Ctrl-C.

Example: berth lab demo --trace calls.jsonl`;

async function demo(flags: DemoFlags, isRoot: boolean): Promise<boolean> {
  const { runDemo } = await import("../../lab/demo/demo.ts");
  const { chooseTier, machineFacts } = await import("../../lab/site/choose-tier.ts");
  const choice = chooseTier(flags.tier, await machineFacts(isRoot));
  return await runDemo({
    program: thisProgram(),
    choice,
    manifests: flags.manifests === undefined ? examples(choice.tier) : [resolve(flags.manifests)],
    nodeCount: flags.nodes,
    ...(flags.trace === undefined ? {} : { traceFile: resolve(flags.trace) }),
    write: (text) => process.stdout.write(text),
    colour: process.stdout.isTTY && !process.env["NO_COLOR"],
    pauseMs: process.stdout.isTTY ? pauseMs : 0,
    elapsedMs: () => performance.now(),
    ...(flags.keep === true ? { afterwards: stay } : {}),
  });
}

/** The experiment's own, with the class for the tier. */
function examples(tier: Tier): string[] {
  const directory = examplesDirectory();
  const kind = tier === "directory" ? "directory" : "export";
  const files = ["csidriver.yaml", `storageclass-${kind}.yaml`, "pvc.yaml", "deployment.yaml"];
  return files.map((file) => join(directory, file));
}

/** Beside the bundle's directory; when somebody has only the bundle, he has to bring his own. */
function examplesDirectory(): string {
  const found = ["../examples", "../../examples", "../../../examples"]
    .map((path) => join(import.meta.dirname, path))
    .find((directory) => existsSync(join(directory, "deployment.yaml")));
  if (found !== undefined) return found;
  throw new BerthError(
    "invalid-argument",
    `Berth's examples are not beside ${dirname(process.argv[1] ?? "")}: name a directory with --manifests`,
  );
}
