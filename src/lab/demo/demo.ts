import { setTimeout as delay } from "node:timers/promises";
import { BerthError } from "../../core/errors.ts";
import { Lab } from "../lab.ts";
import type { TierChoice } from "../site/choose-tier.ts";
import type { Program } from "../site/site.ts";
import { colours, plain } from "../timeline/style.ts";
import { printDuration } from "../timeline/text.ts";
import { Timeline } from "../timeline/timeline.ts";
import { TraceFile } from "../trace.ts";
import { conclude } from "./conclusion.ts";
import { runExperiment } from "./experiment.ts";
import { introduceTier } from "./introduce.ts";
import { type Experiment, readExperiment } from "./manifests.ts";
import { Recorder } from "./recorder.ts";
import { Views } from "./views.ts";
import { Workload } from "./workload.ts";

export interface DemoOptions {
  readonly program: Program;
  readonly choice: TierChoice;
  /** The manifests' files, or a directory of them. */
  readonly manifests: readonly string[];
  readonly nodeCount: number;
  readonly traceFile?: string;
  readonly write: (text: string) => void;
  readonly colour: boolean;
  /** Between steps; 0 where nobody watches. */
  readonly pauseMs: number;
  readonly elapsedMs: () => number;
  /** Called with the lab when all has been shown, while it still runs. */
  readonly afterwards?: (lab: Lab, say: (text: string) => void) => Promise<void>;
}

const stepMsMax = 60_000;

/**
 * Runs the experiment.
 * @returns whether all invariants hold
 * @throws BerthError when the lab or the driver does not do its part
 */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const experiment = readExperiment(options.manifests);
  const trace = options.traceFile === undefined ? undefined : new TraceFile(options.traceFile);
  const timeline = makeTimeline(options);
  const recorder = new Recorder({
    elapsedMs: options.elapsedMs,
    onBegin: (call) => timeline.begin(call),
    onEnd: (call) => {
      trace?.write(call);
      timeline.end(call);
    },
  });
  const workload = new Workload(recorder);
  introduce(timeline, options.choice);
  await using lab = await Lab.open({
    tier: options.choice.tier,
    program: options.program,
    nodes: options.nodeCount,
    driverName: experiment.driver.name,
    hook: recorder,
    note: (component, text) => timeline.note(component, text),
    runtimeOf: (node) => workload.runtimeOf(node),
  });
  recorder.watch({ nodes: lab.nodes, shareNames: () => lab.site.share.names() });
  try {
    return await runIn(lab, { options, experiment, recorder, timeline, workload });
  } catch (reason) {
    for (const driver of lab.drivers) {
      for (const line of await driver.lastWords()) timeline.verbatim(line);
    }
    throw reason;
  }
}

interface DemoParts {
  readonly options: DemoOptions;
  readonly experiment: Experiment;
  readonly recorder: Recorder;
  readonly timeline: Timeline;
  readonly workload: Workload;
}

async function runIn(
  lab: Lab,
  { options, experiment, recorder, timeline, workload }: DemoParts,
): Promise<boolean> {
  timeline.text(`The share is ${lab.site.share.where}.`);
  timeline.text(`All ready and registered after ${printDuration(options.elapsedMs())}.`);
  timeline.watch();
  await runExperiment({
    ...{ lab, experiment, workload, timeline },
    views: new Views(lab, timeline),
    patience: patienceWith(lab),
    pause: () => delay(options.pauseMs),
  });
  timeline.text("");
  const isGood = conclude(recorder.recording(), timeline);
  await options.afterwards?.(lab, (text) => timeline.text(text));
  return isGood;
}

function makeTimeline({ write, colour, nodeCount }: DemoOptions): Timeline {
  const nodes = Array.from({ length: nodeCount }, (_, index) => `node-${index + 1}`);
  return new Timeline({ components: ["controller", ...nodes], write, paint: colour ? colours : plain });
}

/** A step ends early when a process of the driver does: nothing would ever answer it. */
function patienceWith(lab: Lab): () => AbortSignal {
  const died = new AbortController();
  for (const driver of lab.drivers) {
    void driver.ended().then(() => {
      died.abort(new BerthError("unavailable", `the driver's process for ${driver.component} has ended`));
    });
  }
  return () => AbortSignal.any([died.signal, AbortSignal.timeout(stepMsMax)]);
}

function introduce(timeline: Timeline, choice: TierChoice): void {
  timeline.raw("The life of a shared volume, on this machine", "heading");
  timeline.text(
    "Real: the processes of the driver, their gRPC, every mount, and pods that write. Played: the parts of Kubernetes that call the driver.",
  );
  timeline.text("");
  introduceTier(timeline, choice);
}
