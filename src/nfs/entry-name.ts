import { XdrError } from "../xdr/xdr-error.ts";
import type { XdrReader } from "../xdr/xdr-reader.ts";
import type { FileName } from "./file.ts";
import { nfsLimits } from "./limits.ts";

const slash = 0x2f;

/**
 * The name of a directory's entry. A server that tells one that leads elsewhere (`a/b`, an empty one, with NUL) lies: what
 * is done with names later, such as joining them to a path, must be able to trust them. @throws XdrError
 */
export function readEntryName(reader: XdrReader): FileName {
  const name = reader.textOrBytes(nfsLimits.nameBytesMax);
  if (name.length === 0 || leadsElsewhere(name)) throw new XdrError("an entry whose name is no name");
  return name;
}

function leadsElsewhere(name: FileName): boolean {
  return typeof name === "string"
    ? name.includes("/") || name.includes("\0")
    : name.includes(slash) || name.includes(0);
}

/** The directory itself and the one above it, which v3 tells and v4 must not. */
export function isDots(name: FileName): boolean {
  return name === "." || name === "..";
}
