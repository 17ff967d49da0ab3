import { CommanderError } from "commander";
import { BerthError } from "../core/errors.ts";
import { createProgram, exitCodes } from "./program.ts";

/**
 * libuv's threads, which all file operations share: its default of 4 would let four slow ones stop
 * the rest. Those that wait for a file system's journal side by side share its commit: the more, the fewer.
 * Read once, when the first operation starts; a thread costs next to nothing until then.
 */
process.env["UV_THREADPOOL_SIZE"] ??= "32";

// A reader that leaves early, such as head(1), ends what writes for it as SIGPIPE would; `berth nfs` sees to it itself.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (process.stdout.listenerCount("error") > 1) return;
  if (error.code !== "EPIPE") process.stderr.write(`berth: standard output: ${error.message}\n`);
  process.exit(error.code === "EPIPE" ? exitCodes.unread : exitCodes.failed);
});

// No top-level await: the program is bundled as CommonJS (tools/bundle.ts).
createProgram()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = explain(error);
  });

/** Says on standard error what went wrong. @returns the exit code */
function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has said it already; help that was asked for comes this way too.
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.badUsage;
  }
  if (error instanceof BerthError) {
    process.stderr.write(`berth: ${error.message}\n`);
    return error.code === "invalid-argument" ? exitCodes.badUsage : exitCodes.failed;
  }
  process.stderr.write(`berth: ${error instanceof Error ? error.stack : String(error)}\n`);
  return exitCodes.failed;
}
