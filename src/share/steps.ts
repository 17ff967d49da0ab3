import type { FileStat, Share } from "./share.ts";
import type { SharePath } from "./share-path.ts";

/** One operation of a `Share`, to be asked for together with others. */
export type Step =
  | { readonly kind: "stat"; readonly path: SharePath }
  | { readonly kind: "readFile"; readonly path: SharePath; readonly bytesMax: number }
  | { readonly kind: "createFile"; readonly path: SharePath; readonly content: Uint8Array }
  | { readonly kind: "link"; readonly existing: SharePath; readonly created: SharePath }
  | { readonly kind: "makeDirectory"; readonly path: SharePath; readonly mode: number }
  | { readonly kind: "removeFile"; readonly path: SharePath }
  | { readonly kind: "removeDirectory"; readonly path: SharePath };

/** What a step gives. */
export type ResultOf<Kind extends Step["kind"]> = Kind extends "stat" | "makeDirectory"
  ? FileStat
  : Kind extends "readFile"
    ? Uint8Array
    : undefined;

/** How far steps came. */
export interface StepsOutcome<Steps extends readonly Step[]> {
  /** Of the steps that were done, in their order. */
  readonly results: { readonly [Index in keyof Steps]?: ResultOf<Steps[Index]["kind"]> };
  /** How many those are. */
  readonly done: number;
  /** Of the step behind them. Where an answer was lost, that one and later ones may be done as well. */
  readonly failure?: unknown;
}

/** Steps of any kinds, whose results nobody knows by their type. */
export type AnySteps = readonly Step[];

/** Each step by itself: for a share that has no shorter way. */
export async function inTurn<const Steps extends AnySteps>(
  share: Share,
  steps: Steps,
): Promise<StepsOutcome<Steps>> {
  const results: unknown[] = [];
  let failure: unknown;
  for (const step of steps) {
    try {
      results.push(await take(share, step));
    } catch (reason) {
      failure = reason;
      break;
    }
  }
  return outcomeOf(results, failure);
}

/** @param results in the order of the steps, each of its step's kind */
export function outcomeOf<Steps extends AnySteps>(
  results: readonly unknown[],
  failure: unknown,
): StepsOutcome<Steps> {
  const own = results as StepsOutcome<Steps>["results"];
  return { results: own, done: results.length, ...(failure === undefined ? {} : { failure }) };
}

async function take(share: Share, step: Step): Promise<FileStat | Uint8Array | undefined> {
  switch (step.kind) {
    case "stat":
      return await share.stat(step.path);
    case "readFile":
      return await share.readFile(step.path, step.bytesMax);
    case "makeDirectory":
      return await share.makeDirectory(step.path, step.mode);
    case "createFile":
      await share.createFile(step.path, step.content);
      return undefined;
    case "link":
      await share.link(step.existing, step.created);
      return undefined;
    case "removeFile":
      await share.removeFile(step.path);
      return undefined;
    case "removeDirectory":
      await share.removeDirectory(step.path);
      return undefined;
  }
}

/** Whether a step is more than a look. */
export function isChange({ kind }: Step): boolean {
  return kind !== "stat" && kind !== "readFile";
}

export function pathsOf(step: Step): readonly SharePath[] {
  return step.kind === "link" ? [step.existing, step.created] : [step.path];
}
