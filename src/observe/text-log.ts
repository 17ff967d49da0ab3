import type { DestinationStream } from "pino";
import { prettyFactory } from "pino-pretty";

/** The keys of a line that are not fields of the event. */
const headKeys = new Set(["level", "time", "msg"]);

/**
 * Turns pino's JSON lines into lines for people, in the same process and call:
 * `[2026-01-31T12:00:00.000Z] INFO: Successfully mounted /data volumeId=directory/bind/a/default`.
 * The stack of an unforeseen error follows, indented.
 */
export function textStream(destination: DestinationStream, colour: boolean): DestinationStream {
  const format = prettyFactory({
    colorize: colour,
    hideObject: true,
    translateTime: "UTC:yyyy-mm-dd'T'HH:MM:ss.l'Z'",
    messageFormat: (line, messageKey) => messageText(String(line[messageKey]), line),
  });
  return { write: (line) => destination.write(format(line)) };
}

function messageText(message: string, line: Record<string, unknown>): string {
  const fields = Object.entries(line).filter(([key]) => !headKeys.has(key));
  const tail = fields.map(([key, value]) => ` ${key}=${fieldText(value)}`);
  return [oneLine(message), ...tail, ...fields.map(([, value]) => stackText(value))].join("");
}

/** A plain word as it is; what has blanks or quotes as a JSON string; an error as its messages. */
function fieldText(value: unknown): string {
  const text = isError(value) ? errorText(value) : String(value);
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}

interface LoggedError {
  readonly message: string;
  readonly stack?: string;
  readonly cause?: unknown;
}

function isError(value: unknown): value is LoggedError {
  return typeof value === "object" && value !== null && "message" in value;
}

function errorText(error: LoggedError): string {
  return isError(error.cause) ? `${error.message}: ${errorText(error.cause)}` : error.message;
}

/** The innermost stack: where it began. */
function stackText(value: unknown): string {
  if (!isError(value)) return "";
  const inner = stackText(value.cause);
  if (inner !== "" || value.stack === undefined) return inner;
  return `\n${value.stack.replaceAll(/^/gm, "    ")}`;
}

/** What a caller sent may hold line breaks; it must not look like a line of ours. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ");
}
