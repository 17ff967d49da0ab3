import type { Brand } from "../core/brand.ts";
import { BerthError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";

/** A path below a share's root, without `.`, `..`, empty or over-long components; `""` is the root. */
export type SharePath = Brand<string, "SharePath">;

export const shareRoot = "" as SharePath;

/** @throws BerthError `invalid-argument` for a path that is absolute, leaves the share or cannot be a name */
export function parseSharePath(text: string): SharePath {
  if (text === "") return shareRoot;
  for (const component of text.split("/")) checkComponent(component, text);
  if (Buffer.byteLength(text) > limits.pathBytesMax) throw invalidPath(text, "is longer than 4095 bytes");
  return text as SharePath;
}

/** `join(volumesPath, name)`: components are checked, so a hostile one cannot climb. */
export function join(base: SharePath, ...components: string[]): SharePath {
  let path: string = base;
  for (const component of components) {
    checkComponent(component, component);
    path = path === "" ? component : `${path}/${component}`;
  }
  return path as SharePath;
}

export function componentsOf(path: SharePath): string[] {
  return path === shareRoot ? [] : path.split("/");
}

/** The directory that a path lies in, and its last component; undefined for the root. */
export function splitPath(path: SharePath): { parent: SharePath; name: string } | undefined {
  if (path === shareRoot) return undefined;
  const slash = path.lastIndexOf("/");
  // What comes before a path's last component is a path.
  return { parent: (slash < 0 ? shareRoot : path.slice(0, slash)) as SharePath, name: path.slice(slash + 1) };
}

/**
 * Whether a component is `.berth`, where records and trash lie, or what some servers take for it: they may see no
 * difference in case, width or what is invisible, nor dots and blanks at the end (Windows).
 */
export function meansBerthsFolder(component: string): boolean {
  const plainest = component
    .normalize("NFKC")
    .replaceAll(/\p{Default_Ignorable_Code_Point}/gu, "")
    .toLowerCase()
    .replace(/[. ]+$/, "");
  return plainest === ".berth";
}

/** Of one UTF-16 code unit in UTF-8. */
const utf8BytesMax = 3;

function checkComponent(component: string, path: string): void {
  if (component === "") throw invalidPath(path, "has an empty component");
  if (component === "." || component === "..") throw invalidPath(path, `has the component ${component}`);
  if (/[/\0]/.test(component)) throw invalidPath(path, "has a '/' or NUL in a component");
  const mayBeLong = component.length * utf8BytesMax > limits.fileNameBytesMax;
  if (mayBeLong && Buffer.byteLength(component) > limits.fileNameBytesMax) {
    throw invalidPath(path, "has a component longer than 255 bytes");
  }
}

function invalidPath(path: string, cause: string): BerthError {
  return new BerthError(
    "invalid-argument",
    `path ${JSON.stringify(path.slice(0, 200))} ${cause}: a path on a share is relative and stays below its root`,
  );
}
