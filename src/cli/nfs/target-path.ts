import { isUtf8 } from "node:buffer";
import type { FileName } from "../../nfs/index.ts";

/** A path's names, or what is wrong with it. */
export type TargetPath =
  | { readonly status: "ok"; readonly names: readonly FileName[] }
  | { readonly status: "error"; readonly problem: string };

/** The names of a path that is meant as it stands. */
export function namesOf(path: string): TargetPath {
  return checked(path.split("/"));
}

/** The names of a path whose bytes may be percent-encoded; they need not be UTF-8. */
export function namesOfEncoded(path: string): TargetPath {
  if (/%(?![0-9a-fA-F]{2})/.test(path)) {
    return { status: "error", problem: "has a % that encodes no byte: a % itself is written %25" };
  }
  if (/%2f/i.test(path))
    return { status: "error", problem: "has %2F: no name on a server has a slash in it" };
  return checked(path.split("/").map(decoded));
}

function checked(all: readonly FileName[]): TargetPath {
  const names = all.filter((name) => name.length > 0);
  // Both would mean something else than was written: servers fold the one, and cut a name at the other.
  if (names.some((name) => name === "." || name === "..")) {
    return { status: "error", problem: 'has the component "." or ".."' };
  }
  if (names.some((name) => (typeof name === "string" ? name.includes("\0") : name.includes(0)))) {
    return { status: "error", problem: "has a NUL, which no name has" };
  }
  return { status: "ok", names };
}

function decoded(name: string): FileName {
  const parts = name.split(/(%[0-9a-fA-F]{2})/);
  const bytes = Buffer.concat(
    parts.map((part) => (part.startsWith("%") ? Buffer.from(part.slice(1), "hex") : Buffer.from(part))),
  );
  return isUtf8(bytes) ? bytes.toString("utf8") : bytes;
}
