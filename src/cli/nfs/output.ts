import type { FileAttributes, FileType } from "../../nfs/index.ts";

export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One JSON value on one line; whole numbers beyond 2^53 as text. */
export function printJson(value: unknown): void {
  printLine(JSON.stringify(value, (_, each) => (typeof each === "bigint" ? numberOrText(each) : each)));
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
  const bits = [6, 3, 0].map((shift) => rwx((mode >> shift) & 7)).join("");
  const time = new Date(modified.seconds * 1000).toISOString().slice(0, 19);
  return [
    `${letters[type]}${bits}`,
    String(links).padStart(3),
    uid,
    gid,
    String(sizeBytes).padStart(12),
    time,
    name,
  ].join(" ");
}

function rwx(bits: number): string {
  return `${bits & 4 ? "r" : "-"}${bits & 2 ? "w" : "-"}${bits & 1 ? "x" : "-"}`;
}
