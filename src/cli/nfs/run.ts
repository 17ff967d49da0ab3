import { BerthError } from "../../core/errors.ts";
import { NfsError } from "../../nfs/index.ts";
import { printJson } from "./output.ts";

/** What `berth nfs` exits with; `--help` says it too. */
export const nfsExitCodes = { ok: 0, failed: 1, badUsage: 2, unreachable: 3, interrupted: 130 } as const;

export const exitCodesHelp = `
Exit codes: 0 done; 1 the server refused or failed, or part was left undone;
2 bad usage; 3 the server cannot be reached or does not answer; 130 interrupted.`;

/** Runs a command until it ends or Ctrl-C cancels it; sets the exit code and says what failed. */
export async function runCommand(
  json: boolean,
  command: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  process.once("SIGINT", interrupt); // the second one ends the process
  try {
    await command(abort.signal);
  } catch (reason) {
    const error = BerthError.from(reason);
    process.exitCode = abort.signal.aborted ? nfsExitCodes.interrupted : exitCodeOf(error);
    const text = abort.signal.aborted
      ? "interrupted: what was done stays, and the command can be run again"
      : error.message;
    if (json) printJson({ error: { code: error.code, message: text } });
    else process.stderr.write(`berth: ${text}\n`);
  } finally {
    process.off("SIGINT", interrupt);
  }
}

const unreachable = ["refused", "unresolved", "unreachable", "timeout", "disconnected", "tls"];

function exitCodeOf(error: BerthError): number {
  if (error.code === "invalid-argument") return nfsExitCodes.badUsage;
  const far =
    error instanceof NfsError ? unreachable.includes(error.diagnosis) : error.code === "storage-unavailable";
  return far ? nfsExitCodes.unreachable : nfsExitCodes.failed;
}
