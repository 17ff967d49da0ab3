import { posix } from "node:path";
import { BerthError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";

/**
 * A path that a caller names, without doubled or trailing slashes.
 * @param what how messages name it: `staging path`
 * @throws BerthError `invalid-argument`
 */
export function parseNodePath(text: string, what: string): string {
  const refuse = (cause: string, remedy: string) =>
    new BerthError("invalid-argument", `${what} ${JSON.stringify(text.slice(0, 200))} ${cause}: ${remedy}`);
  if (!text.startsWith("/")) throw refuse("is not absolute", "start it with '/'");
  if (Buffer.byteLength(text) > limits.pathBytesMax) {
    throw refuse(`is longer than ${limits.pathBytesMax} bytes`, "shorten it");
  }
  // Helpers are told paths line by line.
  if (/\p{Cc}/u.test(text)) throw refuse("has a control character", "leave it out");
  if (text.split("/").some((component) => component === "." || component === "..")) {
    throw refuse("has a component '.' or '..'", "name the directory itself");
  }
  const path = posix.normalize(text);
  return path === "/" ? path : path.replace(/\/$/, "");
}

export function parentOf(path: string): string {
  return posix.dirname(path);
}

export function nameOf(path: string): string {
  return posix.basename(path);
}

export function childOf(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}
