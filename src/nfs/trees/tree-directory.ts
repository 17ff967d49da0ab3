import type { Credentials } from "../../rpc/auth-sys.ts";
import type { FileAttributes, FileHandle, FileName, FileNode } from "../file.ts";

/** Something in a directory, as far as work needs it that measures it or removes it by its name. */
export interface BriefEntry {
  readonly name: FileName;
  readonly attributes: FileAttributes;
  /** A directory has it. */
  readonly handle?: FileHandle;
}

/** Something in a directory, known in full. */
export interface TreeEntry extends BriefEntry {
  readonly handle: FileHandle;
}

/** A directory that is being worked on. */
export class TreeDirectory<T = unknown> {
  readonly parent: TreeDirectory<T> | undefined;
  readonly name: FileName;
  readonly handle: FileHandle;
  readonly attributes: FileAttributes;
  /** From where the work began, which may have a path itself. For people, never to find anything by. */
  readonly path: string;
  /** What the work keeps with it, such as the copy's directory. */
  readonly data: T;
  /** Whom to act as in it; undefined: as the client does. */
  credentials: Credentials | undefined;
  /** Parts of it that are not done: pages, and directories below. */
  unfinished = 1;
  /** Whether something in it was left undone. */
  failed = false;

  /** @param name of the first directory: its path */
  constructor(node: FileNode, data: T, name: FileName = "", parent?: TreeDirectory<T>) {
    this.parent = parent;
    this.name = name;
    this.handle = node.handle;
    this.attributes = node.attributes;
    this.path = parent === undefined ? nameText(name) : parent.pathOf(name);
    this.data = data;
    this.credentials = parent?.credentials;
  }

  /** O(1) whatever the depth: the engine joins such strings when they are read. @param name `""` means itself */
  pathOf(name: FileName): string {
    if (name === "") return this.path;
    return this.path === "" ? nameText(name) : `${this.path}/${nameText(name)}`;
  }
}

/** A name for people: one that is no UTF-8 is percent-encoded, as in a URL, so that no two look the same. */
export function nameText(name: FileName): string {
  return typeof name === "string" ? name : Array.from(name, byteText).join("");
}

function byteText(byte: number): string {
  const plain = byte > 0x20 && byte < 0x7f && byte !== percent;
  return plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

const percent = 0x25;

/** The lengths of files together; what a directory says of itself is no length. */
export function sizeOf(entries: readonly BriefEntry[]): bigint {
  let sum = 0n;
  for (const { attributes } of entries) if (attributes.type !== "directory") sum += attributes.sizeBytes;
  return sum;
}
