import { BerthError, isUnforeseen } from "../../core/errors.ts";
import { type Log, silentLog } from "../../core/log.ts";
import { NfsError } from "../../nfs/index.ts";
import { nfsLimits } from "../../nfs/limits.ts";
import { keepSmall } from "../keep-small.ts";
import { entriesText, printJson, printNote } from "./output.ts";
import { Progress } from "./progress.ts";

/** What `berth nfs` exits with; `--help` says it too. */
export const nfsExitCodes = {
  ...{ ok: 0, failed: 1, badUsage: 2, unreachable: 3 },
  ...{ interrupted: 130, unread: 141, terminated: 143 },
} as const;

export const exitCodesHelp = `
Exit codes: 0 done; 1 the server refused or failed, or part was left undone;
2 bad usage; 3 the server cannot be reached or does not answer;
130 interrupted (143 by SIGTERM); 141 nobody reads the output any more.`;

/** What every command works with. */
export interface Work {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** For what people should know of connecting. */
  readonly log: Log;
}

/** Ended by a signal; its message says what is left of the work. */
export class Interrupted extends BerthError {
  constructor(left: string, options?: { readonly cause?: unknown }) {
    super("cancelled", `interrupted: ${left}`, options);
  }
}

/** How long after Ctrl-C it is waited for the server: whether something was made, and that it is removed. */
export const { cleanUpMsMax } = nfsLimits;

/**
 * For calls that make what an interrupted command removes: fires a while after the other. A call that is cut short may
 * still be done, and then nobody would know what there is to remove.
 */
export function outlasting(signal: AbortSignal): AbortSignal {
  const late = new AbortController();
  const begin = () => void setTimeout(() => late.abort(signal.reason), cleanUpMsMax).unref();
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin, { once: true });
  return late.signal;
}

/** Runs a command until it ends or Ctrl-C cancels it; sets the exit code and says what failed. */
export async function runCommand(
  json: boolean | undefined,
  command: (work: Work) => Promise<void>,
): Promise<void> {
  keepSmall();
  const abort = new AbortController();
  const progress = new Progress();
  let stopped: number | undefined;
  const stop = (exitCode: number) => {
    stopped ??= exitCode;
    abort.abort();
  };
  const interrupt = () => stop(nfsExitCodes.interrupted);
  const terminate = () => stop(nfsExitCodes.terminated);
  process.once("SIGINT", interrupt); // the second one ends the process
  process.once("SIGTERM", terminate);
  const outputEnded = watchOutput(() => abort.abort());
  try {
    await command({ signal: abort.signal, progress, log: json === true ? silentLog : noteOnce() });
    progress.end();
  } catch (reason) {
    progress.end();
    if (outputEnded()) return;
    const error = stopped === undefined ? BerthError.from(reason) : interruption(reason);
    process.exitCode = stopped ?? exitCodeOf(error);
    tell(json === true, error, progress);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", terminate);
  }
}

/**
 * A reader that has gone ends the work in silence, as SIGPIPE does; what cannot be written otherwise is told. An error may
 * come after the command's last line, so it is listened to until the process ends.
 */
function watchOutput(stop: () => void): () => boolean {
  let ended = false;
  process.stderr.on("error", () => {}); // there is nobody to tell
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    const unread = error.code === "EPIPE";
    if (!unread && !ended) printNote(`standard output: ${error.message}`);
    ended = true;
    process.exitCode = unread ? nfsExitCodes.unread : nfsExitCodes.failed;
    stop();
  });
  return () => ended;
}

/** Each thing once: a command may connect more than once. */
function noteOnce(): Log {
  const told = new Set<string>();
  const info: Log["info"] = (message, fields) => {
    const text = `${fields?.["server"] ?? ""}: ${message}`;
    if (!told.has(text)) printNote(text);
    told.add(text);
  };
  return { ...silentLog, info };
}

function interruption(reason: unknown): BerthError {
  return reason instanceof Interrupted ? reason : new Interrupted("what was done stays", { cause: reason });
}

function tell(json: boolean, error: BerthError, progress: Progress): void {
  const { summary, entries, sizeBytes } = progress;
  const message = error.message + details(error);
  if (json) {
    const diagnosis = error instanceof NfsError ? { diagnosis: error.diagnosis } : {};
    const done = summary === undefined ? {} : { done: { entries, sizeBytes } };
    printJson({ error: { code: error.code, ...diagnosis, message }, ...done });
  } else {
    printNote(`${message}${summary === undefined ? "" : `; so far: ${summary}`}`);
  }
}

/** There is no log that could have the details. */
function details(error: BerthError): string {
  return isUnforeseen(error) ? `: ${String(error.cause)}` : "";
}

const unreachable = ["refused", "unresolved", "unreachable", "timeout", "disconnected", "tls"];

function exitCodeOf(error: BerthError): number {
  if (error.code === "invalid-argument") return nfsExitCodes.badUsage;
  const far =
    error instanceof NfsError ? unreachable.includes(error.diagnosis) : error.code === "storage-unavailable";
  return far ? nfsExitCodes.unreachable : nfsExitCodes.failed;
}

/** Failures of single entries: the work goes on, each is told, and the command fails in the end. */
export class FailureList {
  count = 0;
  readonly #json: boolean | undefined;
  readonly #progress: Progress;

  constructor(json: boolean | undefined, progress: Progress) {
    this.#json = json;
    this.#progress = progress;
  }

  /** As `TreeOptions.onFailure`. */
  readonly note = (failure: BerthError): void => {
    this.count++;
    if (this.#json === true) {
      printJson({ failure: { code: failure.code, message: failure.message } });
    } else if (this.count <= toldMax) {
      this.#progress.end();
      printNote(failure.message);
    }
  };

  /** @throws BerthError when there was any */
  check(what: string): void {
    if (this.count === 0) return;
    const rest = this.count > toldMax ? `, of which the first ${toldMax} are above` : "";
    throw new BerthError("storage-io", `${entriesText(this.count)} could not be ${what}${rest}`);
  }
}

/** Lines of failures that a person gets; with `--json` all come. */
const toldMax = 20;
