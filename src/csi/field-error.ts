import { BerthError } from "../core/errors.ts";

/** `volume_id is missing: give the id that CreateVolume returned`. */
export function invalidField(field: string, cause: string, remedy: string): BerthError {
  return new BerthError("invalid-argument", `${field} ${cause}: ${remedy}`);
}

export function impossibleRange(field: string, cause: string, remedy: string): BerthError {
  return new BerthError("out-of-range", `${field} ${cause}: ${remedy}`);
}
