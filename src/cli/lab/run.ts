import { resolve } from "node:path";
import { Command, Option } from "commander";
import { BerthError } from "../../core/errors.ts";
import { type LabFlags, nodesOption, tierOption } from "./lab-options.ts";
import { type InsideFlag, inside, insideOption, outside, thisProgram } from "./sandbox.ts";

interface RunFlags extends LabFlags, InsideFlag {
  readonly config?: string;
  readonly trace?: string;
  readonly keep?: true;
}

/** `berth lab run FILE…` */
export function runCommand(): Command {
  return new Command("run")
    .description("your own manifests and steps, on real kernels")
    .argument("<file...>", "YAML: Kubernetes manifests, and a LabScenario with the steps")
    .addOption(tierOption())
    .addOption(nodesOption())
    .addOption(configOption())
    .addOption(new Option("--trace <file>", "write every call as a line of JSON"))
    .addOption(new Option("--keep", "let the lab run on when the steps are done, until Ctrl-C"))
    .addOption(insideOption())
    .addHelpText("after", runHelp)
    .action((files: string[], flags: RunFlags) => start(files, flags));
}

/** `berth lab up [FILE…]` */
export function upCommand(): Command {
  return new Command("up")
    .description("a lab that runs until Ctrl-C, to look around in with berth lab shell")
    .argument("[file...]", "YAML: Kubernetes manifests to apply")
    .addOption(tierOption())
    .addOption(nodesOption())
    .addOption(configOption())
    .addOption(new Option("--trace <file>", "write every call as a line of JSON"))
    .addOption(insideOption())
    .addHelpText("after", upHelp)
    .action((files: string[], flags: RunFlags) => start(files, { ...flags, keep: true }));
}

const configOption = () =>
  new Option("--config <file>", "the driver's configuration, in place of the lab's own");

const configHelp = `
In the file of --config, \${server} and \${share} stand for the lab's NFS server
and the path that it exports; directories that it names below \${share} are made.
`;

const runHelp = `
The manifests are applied, then the steps of the LabScenario are done one after
the other; the first that fails ends the run, with its file and line.

  apiVersion: berth.dev/v1
  kind: LabScenario
  metadata: { name: two-pods }
  steps:
    - wait: { bound: data }                   # a claim has its volume
    - scale: { deployment: web, replicas: 2 }
    - wait: settled                           # all that was asked for is there
    - exec: { deployment: web, command: "echo hello >> /data/log" }
    - exec:
        pod: web-1
        command: "wc -l < /data/log"
        expect: { stdout: "^2$" }             # regular expression; exitCode: 0
    - node: { name: node-1, command: "grep nfs4 /proc/self/mountinfo" }
    - delete: PersistentVolumeClaim/data
      within: 1m                              # any step; 30s unless given
      say: what the timeline shows            # any step

Other steps:
  apply: FILE              more manifests, or a claim that asks for more
  wait: { running: POD }   wait: { gone: KIND/NAME }
  expect: { warning: { on: KIND/NAME, message: REGEX } }
  server: stop | start | crash | pause | resume    the NFS server (tier guests)
  restart: controller | NODE                       the driver's process
  reboot: NODE                                     the machine (tier guests)

Known kinds: CSIDriver, StorageClass, PersistentVolumeClaim, PersistentVolume,
Deployment, Pod; claims, subPath, readOnly and inline csi volumes in pods. What
is not known is refused by file, line and key. A container's image and command
do not run: a pod waits, with its volumes, for the steps' exec.
${configHelp}
Exit codes: 0 all steps done, 1 one failed, 2 bad usage or a mistake in a file,
130 Ctrl-C.

Example:
  berth lab run examples/csidriver.yaml examples/storageclass-export.yaml \\
    examples/lab/two-pods.yaml`;

const upHelp = `${configHelp}
In another terminal: berth lab shell node-1

Example: berth lab up examples/csidriver.yaml examples/storageclass-export.yaml`;

async function start(files: readonly string[], flags: RunFlags): Promise<void> {
  if (flags.inside === undefined) process.exitCode = await outside();
  else await inside(() => run(files, flags, flags.inside === "root"));
}

async function run(files: readonly string[], flags: RunFlags, isRoot: boolean): Promise<boolean> {
  const { chooseTier, machineFacts } = await import("../../lab/site/choose-tier.ts");
  const { driverOf, readFiles, startLab } = await import("../../lab/scenario/start.ts");
  const { runScenario } = await import("../../lab/scenario/run-scenario.ts");
  const { readLabConfig } = await import("./lab-config.ts");
  const { TraceFile } = await import("../../lab/trace.ts");
  const read = readFiles(files);
  const driverConfig = flags.config === undefined ? undefined : readLabConfig(flags.config);
  if (read.scenarios.length === 0 && flags.keep !== true) {
    throw new BerthError("invalid-argument", "no LabScenario in these files: add one, or use berth lab up");
  }
  const { lab, timeline } = await startLab({
    program: thisProgram(),
    choice: chooseTier(flags.tier, await machineFacts(isRoot)),
    nodeCount: flags.nodes,
    driverName: driverOf(read),
    driverConfig,
    trace: flags.trace === undefined ? undefined : new TraceFile(resolve(flags.trace)),
    write: (text) => process.stdout.write(text),
    colour: process.stdout.isTTY && !process.env["NO_COLOR"],
    elapsedMs: () => performance.now(),
  });
  if (read.objects.length > 0) {
    timeline.step(`apply ${files.join(" ")}`, `${read.objects.length} objects`);
    lab.apply(read.objects);
  }
  for (const scenario of read.scenarios) await runScenario(scenario, lab, timeline);
  const steps = read.scenarios.flatMap((scenario) => scenario.steps).length;
  timeline.text("");
  if (steps > 0) timeline.raw(`${steps} of ${steps} steps done`, "good");
  if (flags.keep === true) await stay(lab, (text) => timeline.text(text));
  return true;
}

/** Until a signal ends it. */
export async function stay(lab: import("../../lab/lab.ts").Lab, say: (text: string) => void): Promise<never> {
  const { serveLabSocket } = await import("../../lab/shell/lab-socket.ts");
  await serveLabSocket(lab);
  say("The lab runs on until Ctrl-C. In another terminal: berth lab shell node-1");
  return await new Promise<never>(() => {});
}
