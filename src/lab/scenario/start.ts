/** What `berth lab up` and `berth lab run` have in common: a lab with a timeline on the screen. */

import { introduceTier } from "../demo/introduce.ts";
import { Recorder } from "../demo/recorder.ts";
import { Lab } from "../lab.ts";
import type { DriverConfigOf } from "../open-lab.ts";
import { type ManifestDocument, parseManifest } from "../orchestrator/manifests/manifest-document.ts";
import { readObject, readText } from "../orchestrator/manifests/manifests.ts";
import type { LabObject } from "../orchestrator/objects.ts";
import type { TierChoice } from "../site/choose-tier.ts";
import type { Program } from "../site/site.ts";
import { colours, plain } from "../timeline/style.ts";
import { printDuration } from "../timeline/text.ts";
import { Timeline } from "../timeline/timeline.ts";
import type { TraceFile } from "../trace.ts";
import { readScenario } from "./read-scenario.ts";
import { type Scenario, scenarioKind } from "./scenario.ts";

export interface StartOptions {
  readonly program: Program;
  readonly choice: TierChoice;
  readonly nodeCount: number;
  readonly driverName: string;
  readonly driverConfig: DriverConfigOf | undefined;
  readonly trace: TraceFile | undefined;
  readonly write: (text: string) => void;
  readonly colour: boolean;
  readonly elapsedMs: () => number;
}

/** What stands in the files of a person. */
export interface Files {
  readonly objects: readonly LabObject[];
  readonly scenarios: readonly Scenario[];
}

/** @throws BerthError `invalid-argument` with file, line and key */
export function readFiles(files: readonly string[]): Files {
  const documents = files.flatMap((file) => parseManifest(file, readText(file)));
  const isScenario = (document: ManifestDocument) => document.kind === scenarioKind;
  return {
    objects: documents.filter((document) => !isScenario(document)).map(readObject),
    scenarios: documents.filter(isScenario).map(readScenario),
  };
}

/** The driver that the manifests are for. */
export function driverOf({ objects }: Files): string {
  const driver = objects.find(({ kind }) => kind === "CSIDriver");
  return driver?.name ?? "csi.berth.dev";
}

export async function startLab(
  options: StartOptions,
): Promise<{ readonly lab: Lab; readonly timeline: Timeline }> {
  const { choice, write, colour, nodeCount, elapsedMs, trace, driverConfig } = options;
  const nodes = Array.from({ length: nodeCount }, (_, index) => `node-${index + 1}`);
  const paint = colour ? colours : plain;
  const timeline = new Timeline({ components: ["controller", ...nodes], write, paint });
  introduceTier(timeline, choice);
  const recorder = new Recorder({
    elapsedMs,
    onBegin: (call) => timeline.begin(call),
    onEnd: (call) => {
      trace?.write(call);
      timeline.end(call);
    },
  });
  const lab = await Lab.open({
    ...{ tier: choice.tier, program: options.program, nodes: nodeCount, driverName: options.driverName },
    ...(driverConfig === undefined ? {} : { driverConfig }),
    hook: recorder,
    note: (component, text) => timeline.note(component, text),
    onEvent: ({ type, object, reason, message }) => {
      if (type === "Warning") timeline.text(`${reason} on ${object}: ${message}`, "bad");
    },
  });
  timeline.text(`The share is ${lab.site.share.where}. Ready after ${printDuration(elapsedMs())}.`);
  timeline.watch();
  return { lab, timeline };
}
