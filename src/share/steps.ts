import { BerthError } from "../core/errors.ts";
import type { AnySteps, FileStat, Share, Step, StepsOutcome } from "./share.ts";
import type { SharePath } from "./share-path.ts";

/** Each step by itself: for a share that has no shorter way. None is begun any more when the signal has fired. */
export async function inTurn<const Steps extends AnySteps>(
  share: Share,
  steps: Steps,
  signal?: AbortSignal,
): Promise<StepsOutcome<Steps>> {
  const results: unknown[] = [];
  let failure: unknown;
  for (const step of steps) {
    try {
      if (signal?.aborted === true) throw BerthError.from(signal.reason);
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
