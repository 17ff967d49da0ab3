import { limits } from "../core/limits.ts";
import { invalidField } from "./field-error.ts";
import { printable } from "./printable.ts";

/** The fields that hold paths; CSI exempts them from its limit of 128 bytes. */
const pathFields = ["staging_target_path", "target_path", "volume_path"];

/** Enough of a path to find it by. */
const shownBytesMax = 200;

export function isPathField(field: string): boolean {
  return pathFields.includes(field);
}

/**
 * @param field as its message declares it; `name` is where it stands in the request
 * @throws BerthError `invalid-argument`
 */
export function checkPath(field: string, name: string, path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > limits.pathBytesMax) {
    throw invalidField(name, `is ${bytes} bytes long`, `Linux allows ${limits.pathBytesMax}`);
  }
  if (path.includes("\0")) throw invalidField(name, "has a NUL", "leave it out");
  const shown = JSON.stringify(printable(path, shownBytesMax));
  if (path.split("/").includes("..")) {
    throw invalidField(name, `${shown} has the component ..`, "give the path without it");
  }
  // Of a volume that is nowhere NodeGetVolumeStats must say NOT_FOUND, whatever the path (csi-sanity).
  if (field !== "volume_path" && !path.startsWith("/")) {
    throw invalidField(name, `${shown} is relative`, "give an absolute path");
  }
}
