import { BerthError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import {
  componentsOf,
  meansBerthsFolder,
  parseSharePath,
  type SharePath,
  shareRoot,
} from "../share/share-path.ts";
import { berthName } from "./layout.ts";

/**
 * The path of a volume's directory on its share: never the share itself, never Berth's own folder or what
 * some servers take for it, and nothing that a mount could not name.
 * @throws BerthError `invalid-argument`
 */
export function parseDirectoryPath(text: string): SharePath {
  const path = parseSharePath(text);
  const refuse = (cause: string, remedy: string): BerthError =>
    new BerthError("invalid-argument", `directory ${JSON.stringify(text.slice(0, 200))} ${cause}: ${remedy}`);
  if (path === shareRoot) throw refuse("is the share itself", "a volume is a directory on it");
  if (/\p{Cc}/u.test(path)) throw refuse("has a control character", "leave it out");
  if (Buffer.byteLength(path) > limits.subDirBytesMax) {
    throw refuse(`is longer than ${limits.subDirBytesMax} bytes`, "shorten it");
  }
  const components = componentsOf(path);
  if (components.length > limits.subDirDepthMax) {
    throw refuse(`has more than ${limits.subDirDepthMax} components`, "use fewer");
  }
  if (components.some(meansBerthsFolder)) {
    throw refuse(`has the component ${berthName}`, "that is where Berth keeps its records");
  }
  return path;
}
