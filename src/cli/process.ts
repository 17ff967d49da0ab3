import { constants } from "node:os";
import type { Log } from "../core/log.ts";

/** Something that runs until it is told to end. */
export interface Running {
  /** Takes no more work, lets what is under way end (bounded), and gives back what it holds. */
  drain(reason: string): Promise<void>;
}

const endSignals = ["SIGTERM", "SIGINT"] as const;

/**
 * Ends the process on SIGTERM or SIGINT: the first drains, and the exit code is 0; a second does not
 * wait, and the exit code is 128 and the signal's number, as a shell has it.
 */
export function endOnSignal(running: Running, log: Log): void {
  let draining = false;
  for (const signal of endSignals) {
    process.on(signal, () => {
      if (draining) process.exit(128 + constants.signals[signal]);
      draining = true;
      log.info(`${signal}: letting calls in flight end`);
      running.drain(signal).then(
        () => {
          log.info("all calls have ended");
          process.exit(0);
        },
        (error: unknown) => endOnError(log, "the shutdown failed", error),
      );
    });
  }
}

/** An error that nobody caught is a mistake in the program: its state is unknown, so it says why and ends. */
export function endOnUncaught(log: Log): void {
  process.on("uncaughtException", (error) => endOnError(log, "an error that nobody caught", error));
  process.on("unhandledRejection", (error) => endOnError(log, "a rejection that nobody handled", error));
}

function endOnError(log: Log, message: string, reason: unknown): never {
  log.error(`${message}: the process ends`, {
    error: reason instanceof Error ? reason : new Error(String(reason)),
  });
  process.exit(1);
}
