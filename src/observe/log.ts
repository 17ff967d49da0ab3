import { isatty } from "node:tty";
import pino, { type DestinationStream } from "pino";
import { BerthError } from "../core/errors.ts";
import type { Log, LogFields } from "../core/log.ts";
import { textStream } from "./text-log.ts";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];
export const logFormats = ["text", "json"] as const;
export type LogFormat = (typeof logFormats)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where lines go; default standard error. */
  readonly destination?: DestinationStream;
  /** Colours in text; default when the destination is a terminal. */
  readonly colour?: boolean;
}

const stderrFd = 2;

/**
 * A log of one line for each event. Lines are written before the call returns, so the last words of
 * a process that is about to die are never lost.
 */
export function createLog(options: LogOptions): Log {
  const destination = options.destination ?? pino.destination({ dest: stderrFd, sync: true });
  const colour = options.colour ?? (options.destination === undefined && isatty(stderrFd));
  const logger = pino(
    {
      level: options.level,
      base: null, // the process id and host name: who collects the lines knows both
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.format === "text" ? textStream(destination, colour) : destination,
  );
  return {
    debug: (message, fields) => logger.debug(plain(fields), message),
    info: (message, fields) => logger.info(plain(fields), message),
    warn: (message, fields) => logger.warn(plain(fields), message),
    error: (message, fields) => logger.error(plain(fields), message),
  };
}

/** Fields as JSON can carry them. */
function plain(fields: LogFields = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: LogFields[string]): unknown {
  if (typeof value === "bigint") return plainBigint(value);
  if (value instanceof Error) return plainError(value);
  return value;
}

/** Beyond 2^53 as text: a reader of JSON would round the number. */
function plainBigint(value: bigint): number | string {
  const exact = value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
  return exact ? Number(value) : value.toString();
}

/** At most so many causes of causes: an error may be its own. */
const causesMax = 8;

interface PlainError {
  readonly code?: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: PlainError;
}

/**
 * Name, code, message and causes, and nothing else that may hang on an error (requests, for one).
 * The stack only of what nobody foresaw: a `BerthError`'s message says it all.
 */
function plainError(error: Error, depth = 0): PlainError {
  const { code } = error as { code?: unknown };
  return {
    ...(typeof code === "string" ? { code } : {}),
    message: error.message,
    ...(error instanceof BerthError || error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause instanceof Error && depth < causesMax
      ? { cause: plainError(error.cause, depth + 1) }
      : {}),
  };
}
