import { BerthError } from "../../core/errors.ts";
import { NfsError } from "../../nfs/index.ts";
import { keepSmall } from "../keep-small.ts";
import { printJson } from "./output.ts";
import { Progress } from "./progress.ts";

/** What `berth nfs` exits with; `--help` says it too. */
export const nfsExitCodes = { ok: 0, failed: 1, badUsage: 2, unreachable: 3, interrupted: 130 } as const;

export const exitCodesHelp = `
Exit codes: 0 done; 1 the server refused or failed, or part was left undone;
2 bad usage; 3 the server cannot be reached or does not answer; 130 interrupted.`;

/** What every command works with. */
export interface Work {
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** Runs a command until it ends or Ctrl-C cancels it; sets the exit code and says what failed. */
export async function runCommand(
  json: boolean | undefined,
  command: (work: Work) => Promise<void>,
): Promise<void> {
  keepSmall();
  const abort = new AbortController();
  const progress = new Progress();
  const interrupt = () => abort.abort();
  process.once("SIGINT", interrupt); // the second one ends the process
  process.once("SIGTERM", interrupt);
  try {
    await command({ signal: abort.signal, progress });
    progress.end();
  } catch (reason) {
    progress.end();
    tell(json === true, BerthError.from(reason), progress, abort.signal.aborted);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

function tell(json: boolean, error: BerthError, progress: Progress, interrupted: boolean): void {
  process.exitCode = interrupted ? nfsExitCodes.interrupted : exitCodeOf(error);
  const { summary, entries, sizeBytes } = progress;
  const message = interrupted ? "interrupted: what was done stays" : error.message;
  if (json) {
    const diagnosis = error instanceof NfsError ? { diagnosis: error.diagnosis } : {};
    const done = summary === undefined ? {} : { done: { entries, sizeBytes } };
    const code = interrupted ? "cancelled" : error.code;
    printJson({ error: { code, ...diagnosis, message }, ...done });
  } else {
    process.stderr.write(`berth: ${message}${summary === undefined ? "" : `; so far: ${summary}`}\n`);
  }
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
      process.stderr.write(`berth: ${failure.message}\n`);
    }
  };

  /** @throws BerthError when there was any */
  check(what: string): void {
    if (this.count === 0) return;
    const rest = this.count > toldMax ? `, of which the first ${toldMax} are above` : "";
    throw new BerthError("storage-io", `${this.count} entries could not be ${what}${rest}`);
  }
}

/** Lines of failures that a person gets; with `--json` all come. */
const toldMax = 20;
