import { once } from "node:events";
import type { Writable } from "node:stream";
import type { FileAttributes, FileTime, FileType } from "../../nfs/index.ts";

/** Control characters, which a terminal obeys, and what turns the direction of a text. */
const unseen = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** What servers say goes to a terminal: what would not be seen there is percent-encoded, as targets may have it. */
export function lineOf(text: string): string {
  return `${seen(text)}\n`;
}

/** For much: waits for a reader who is slower than the server. */
export async function printAll(
  content: string | Uint8Array,
  signal: AbortSignal,
  output: Writable = process.stdout,
): Promise<void> {
  if (!output.write(content)) await once(output, "drain", { signal });
}

export function printLine(text: string): void {
  process.stdout.write(lineOf(text));
}

/** A line for people beside the output, such as an error. */
export function printNote(text: string): void {
  process.stderr.write(`berth: ${seen(text)}\n`);
}

function seen(text: string): string {
  return text.replace(unseen, encodeURIComponent);
}

/** One JSON value on one line; whole numbers beyond 2^53 as text. */
export function jsonLineOf(value: unknown): string {
  const json = JSON.stringify(value, (_, each) => (typeof each === "bigint" ? numberOrText(each) : each));
  return `${json.replace(unseen, unicodeEscape)}\n`;
}

export function printJson(value: unknown): void {
  process.stdout.write(jsonLineOf(value));
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function numberOrText(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);
}

const letters: Readonly<Record<FileType, string>> = {
  file: "-",
  directory: "d",
  symlink: "l",
  "block-device": "b",
  "character-device": "c",
  socket: "s",
  fifo: "p",
  other: "?",
};

/** A line as of `ls -ln`. */
export function longLine(
  name: string,
  { type, mode, links, uid, gid, sizeBytes, modified }: FileAttributes,
): string {
  return [
    `${letters[type]}${modeText(mode)}`,
    String(links).padStart(3),
    uid,
    gid,
    String(sizeBytes).padStart(12),
    timeText(modified),
    name,
  ].join(" ");
}

/** The same of what the server tells nothing of. */
export function unknownLine(name: string): string {
  return ["??????????", "  ?", "?", "?", "?".padStart(12), "?".padStart(19), name].join(" ");
}

/** `rwsr-xr-t`: as ls(1) shows set-uid, set-gid and sticky in place of the x. */
function modeText(mode: number): string {
  return (
    rwx(mode >> 6, mode & 0o4000, "s") + rwx(mode >> 3, mode & 0o2000, "s") + rwx(mode, mode & 0o1000, "t")
  );
}

function rwx(bits: number, special: number, letter: string): string {
  const execute = bits & 1 ? "x" : "-";
  const last = special === 0 ? execute : bits & 1 ? letter : letter.toUpperCase();
  return `${bits & 4 ? "r" : "-"}${bits & 2 ? "w" : "-"}${last}`;
}

/** What JavaScript's dates reach. */
const dateMsMax = 8.64e15;

/** In UTC; a time that no calendar has as `@` and its seconds. */
function timeText({ seconds }: FileTime): string {
  const ms = seconds * 1000;
  if (Math.abs(ms) > dateMsMax) return `@${seconds}`;
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "");
}

export function entriesText(entries: number): string {
  return entries === 1 ? "1 entry" : `${entries} entries`;
}
