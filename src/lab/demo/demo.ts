import type { Clock } from "../../core/clock.ts";
import { BerthError } from "../../core/errors.ts";
import type { DriverProcess } from "../machine/driver-process.ts";
import { mountScratch } from "../machine/sandbox.ts";
import { type Manifests, readManifests } from "../orchestrator/manifests.ts";
import { colours, plain } from "../timeline/style.ts";
import { printDuration } from "../timeline/text.ts";
import { Timeline } from "../timeline/timeline.ts";
import { TraceFile } from "../trace.ts";
import { conclude } from "./conclusion.ts";
import { runExperiment } from "./experiment.ts";
import { bootMachines, type Machines, startCluster, startDriver } from "./lab.ts";
import { Recorder } from "./recorder.ts";
import { Views } from "./views.ts";
import { Workload } from "./workload.ts";

export interface DemoOptions {
  /** The command line of this program, whose `controller` and `node` are started. */
  readonly program: readonly [string, ...string[]];
  readonly manifestsDirectory: string;
  readonly nodeCount: number;
  readonly traceFile?: string;
  readonly write: (text: string) => void;
  readonly colour: boolean;
  /** Between steps; 0 where nobody watches. */
  readonly pauseMs: number;
  readonly clock: Clock;
  readonly elapsedMs: () => number;
}

const stepMsMax = 20_000;

/**
 * Runs the experiment in the mount and PID namespaces that this process is the first of; nothing is
 * cleaned up here, the kernel does that when the process ends.
 * @returns whether all invariants hold
 * @throws BerthError when the lab or the driver does not do its part
 */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const manifests = readManifests(options.manifestsDirectory);
  const trace = options.traceFile === undefined ? undefined : new TraceFile(options.traceFile);
  const involved = [...options.program.filter((part) => part.startsWith("/")), process.cwd()];
  const directory = await mountScratch(involved);
  const machines = await bootMachines(directory, options.nodeCount);
  const timeline = makeTimeline(options, machines);
  const drivers = startDriver({ ...options, driverName: manifests.driver.name, directory, machines });
  try {
    return await runOn({ options, manifests, trace, machines, timeline, drivers });
  } catch (reason) {
    for (const driver of drivers) {
      for (const line of driver.lastWords()) timeline.verbatim(line);
    }
    throw reason;
  }
}

interface DemoParts {
  readonly options: DemoOptions;
  readonly manifests: Manifests;
  readonly trace: TraceFile | undefined;
  readonly machines: Machines;
  readonly timeline: Timeline;
  readonly drivers: readonly DriverProcess[];
}

async function runOn(parts: DemoParts): Promise<boolean> {
  const { options, manifests, machines, timeline, drivers } = parts;
  const { clock } = options;
  const patience = patienceWith(drivers);
  const recorder = makeRecorder(parts);
  const workload = new Workload(machines.nodes, recorder);
  introduce(timeline, machines);
  const cluster = await startCluster(
    {
      manifests,
      machines,
      drivers,
      hook: recorder,
      clock,
      note: (component, text) => timeline.note(component, text),
      runtimeOf: (node) => workload.runtimeOf(node),
    },
    patience(),
  );
  timeline.text(`All ready and registered after ${printDuration(options.elapsedMs())}.`);
  timeline.watch();
  const views = new Views(machines, timeline);
  const pause = () => clock.sleep(options.pauseMs);
  await runExperiment({ manifests, cluster, workload, timeline, views, patience, pause });
  timeline.text("");
  return conclude(recorder.recording(), timeline);
}

function makeTimeline({ write, colour }: DemoOptions, { nodes }: Machines): Timeline {
  const components = ["controller", ...nodes.map(({ machine }) => machine.name)];
  return new Timeline({ components, write, paint: colour ? colours : plain });
}

function makeRecorder({ options, machines, timeline, trace }: DemoParts): Recorder {
  return new Recorder({
    nodes: machines.nodes.map(({ machine }) => machine),
    shareDirectory: machines.shareDirectory,
    elapsedMs: options.elapsedMs,
    onBegin: (call) => timeline.begin(call),
    onEnd: (call) => {
      trace?.write(call);
      timeline.end(call);
    },
  });
}

/** A step ends early when a process of the driver does: nothing would ever answer it. */
function patienceWith(drivers: readonly DriverProcess[]): () => AbortSignal {
  const died = new AbortController();
  for (const driver of drivers) {
    driver.onEnd(() => {
      died.abort(new BerthError("unavailable", `the driver's process for ${driver.component} has ended`));
    });
  }
  return () => AbortSignal.any([died.signal, AbortSignal.timeout(stepMsMax)]);
}

function introduce(timeline: Timeline, { nodes, shareDirectory }: Machines): void {
  const names = nodes.map(({ machine }) => machine.name);
  timeline.raw("The life of a shared volume, on this machine", "heading");
  timeline.text(
    `Real: the processes of the driver, their gRPC, every mount, and pods that write. Played: the parts of Kubernetes that call the driver.`,
  );
  timeline.text("");
  timeline.text(
    `controller: berth controller; ${names.join(", ")}: berth node, each in a mount namespace of its own. The share is ${shareDirectory}.`,
  );
}
