import { hasCode } from "../../core/errors.ts";
import type { NfsClient, OperationOptions, ServerCopyOptions } from "../client.ts";
import type { AttributeChanges, FileAttributes, FileHandle, FileName, FileNode } from "../file.ts";
import { NfsError } from "../nfs-error.ts";
import { ContentCopier, type CopyWay, isSparse } from "./copy-content.ts";

/** Nobody else reads a copy before it has its owner and mode. */
const unfinishedMode = 0o600;

/** "kept": an earlier run had copied it. */
export type FileWay = CopyWay | "kept";

/** Copies single files between two clients, or within one. */
export class FileCopier {
  readonly #source: NfsClient;
  readonly #target: NfsClient;
  readonly #content: ContentCopier;
  readonly #resume: boolean;

  /** @param resume whether what is in the target already may be from an earlier run */
  constructor(source: NfsClient, target: NfsClient, resume: boolean) {
    this.#source = source;
    this.#target = target;
    this.#content = new ContentCopier(source, target);
    this.#resume = resume;
  }

  /** A regular file with content, extended attributes, owner, mode and times: those last, so they tell that it is whole. */
  async copyFile(
    source: FileNode,
    directory: FileHandle,
    name: FileName,
    options: ServerCopyOptions,
  ): Promise<FileWay> {
    try {
      return await this.#copyFile(source, directory, name, options);
    } catch (error) {
      // A request of the earlier run may have come to the server after we looked: look again.
      if (!this.#resume || !hasCode(error, "storage-exists")) throw error;
      return await this.#copyFile(source, directory, name, options);
    }
  }

  async #copyFile(
    source: FileNode,
    directory: FileHandle,
    name: FileName,
    options: ServerCopyOptions,
  ): Promise<FileWay> {
    const kept = await this.#existing(directory, name, options);
    if (kept !== undefined && isCopyOf(kept.attributes, source.attributes)) return "kept";
    if (kept !== undefined) await this.#target.remove(directory, name, options);
    const xattrs = await this.#xattrsOf(source.handle, options);
    const whole = lastChanges(source.attributes);
    const atOnce = xattrs.length === 0 && whole.length === 1 && source.attributes.sizeBytes > 0n;
    const mayClone = this.#content.mayClone && atOnce;
    if (mayClone && (await this.#cloneWhole(source, directory, name, options))) return "clone";
    const { handle, way } = await this.#copyContent(source, directory, name, options);
    await this.#setXattrs(source.handle, handle, xattrs, options);
    for (const changes of whole) await this.#target.setattr(handle, changes, options);
    return way;
  }

  /** All of it in one request. @returns false where that does not work: then nothing is there, as before */
  async #cloneWhole(
    source: FileNode,
    directory: FileHandle,
    name: FileName,
    options: OperationOptions,
  ): Promise<boolean> {
    const created = { mode: unfinishedMode };
    const whole = ownedAndDated(source.attributes);
    try {
      await this.#target.cloneNew({ source: source.handle, directory, name, created, whole }, options);
      return true;
    } catch (error) {
      const made = error instanceof NfsError && error.outcome === "done";
      if (!made && !hasCode(error, "storage-unsupported")) throw error;
      // It is ours and not whole; whatever is wrong shows again where each step has its own request.
      if (made) await this.#target.remove(directory, name, options);
      return false;
    }
  }

  async copySymlink(
    source: FileNode,
    directory: FileHandle,
    name: FileName,
    options: OperationOptions,
  ): Promise<FileHandle> {
    const target = await this.#source.readlink(source.handle, options);
    const { modified } = source.attributes;
    const handle =
      (await this.#keptSymlink(directory, name, target, options)) ??
      (await this.#target.symlink(directory, name, target, ownerOf(source.attributes), options)).handle;
    await optional(this.#target.setattr(handle, { modified }, options));
    return handle;
  }

  /** That of an earlier run; whatever else is there is removed. */
  async #keptSymlink(
    directory: FileHandle,
    name: FileName,
    target: FileName,
    options: OperationOptions,
  ): Promise<FileHandle | undefined> {
    const kept = await this.#existing(directory, name, options);
    if (kept === undefined) return undefined;
    const isLink = kept.attributes.type === "symlink";
    if (isLink && isSame(await this.#target.readlink(kept.handle, options), target)) return kept.handle;
    await this.#target.remove(directory, name, options);
    return undefined;
  }

  /** One more name for a file that was copied. */
  async link(
    file: FileHandle,
    directory: FileHandle,
    name: FileName,
    options: OperationOptions,
  ): Promise<void> {
    const kept = await this.#existing(directory, name, options);
    if (kept !== undefined) {
      const { fileid } = await this.#target.getattr(file, options);
      if (kept.attributes.fileid === fileid) return;
      await this.#target.remove(directory, name, options);
    }
    await this.#target.link(file, directory, name, options);
  }

  /** What an earlier run left under this name. */
  async #existing(
    directory: FileHandle,
    name: FileName,
    options: OperationOptions,
  ): Promise<FileNode | undefined> {
    if (!this.#resume) return undefined;
    try {
      return await this.#target.lookup(directory, name, options);
    } catch (error) {
      if (hasCode(error, "storage-no-entry")) return undefined;
      throw error;
    }
  }

  async #copyContent(
    source: FileNode,
    directory: FileHandle,
    name: FileName,
    options: ServerCopyOptions,
  ): Promise<{ readonly handle: FileHandle; readonly way: CopyWay }> {
    const mode = { mode: unfinishedMode };
    if (this.#isSmall(source)) {
      const bytes = Number(source.attributes.sizeBytes);
      const whole = await this.#content.buffers.use(bytes, async () => {
        const content = await this.#readWhole(source, options);
        return content && (await this.#target.create(directory, name, mode, content, options));
      });
      if (whole !== undefined) return { handle: whole.handle, way: "read-write" };
    }
    const { handle } = await this.#target.create(directory, name, mode, undefined, options);
    return { handle, way: await this.#content.copy(source, handle, options) };
  }

  /** Whether all of it fits into the request that makes the copy: one round trip less, and no COMMIT. */
  #isSmall(source: FileNode): boolean {
    const { sizeBytes } = source.attributes;
    if (sizeBytes === 0n) return true;
    return this.#content.throughUs && sizeBytes <= BigInt(this.#content.blockBytes) && !isSparse(source);
  }

  /** @returns undefined when it has grown or the server cuts reads */
  async #readWhole(source: FileNode, options: OperationOptions): Promise<Uint8Array | undefined> {
    const bytes = Number(source.attributes.sizeBytes);
    if (bytes === 0) return new Uint8Array(0);
    const { data } = await this.#source.read(source.handle, 0n, bytes, options);
    return data.length === bytes ? data : undefined;
  }

  /** Where both sides have them. */
  async copyXattrs(source: FileHandle, target: FileHandle, options: OperationOptions): Promise<void> {
    await this.#setXattrs(source, target, await this.#xattrsOf(source, options), options);
  }

  async #xattrsOf(source: FileHandle, options: OperationOptions): Promise<readonly string[]> {
    if (!this.#source.features.xattrs || !this.#target.features.xattrs) return [];
    return await this.#source.listXattrs(source, options);
  }

  async #setXattrs(
    source: FileHandle,
    target: FileHandle,
    names: readonly string[],
    options: OperationOptions,
  ): Promise<void> {
    for (const name of names) {
      const value = await this.#source.getXattr(source, name, options);
      await this.#target.setXattr(target, name, value, options);
    }
  }
}

/** What a client tells of an owner whom a v4 server names by something that is no number (`FileAttributes.uid`). */
const unknownId = 0xffff_fffe;

/** What a copy gets last. An unknown owner is left out: the copy then belongs to whoever copies. */
export function ownedAndDated(source: FileAttributes): AttributeChanges {
  const { mode, accessed, modified } = source;
  return { mode, accessed, modified, ...ownerOf(source) };
}

export function ownerOf({ uid, gid }: FileAttributes): AttributeChanges {
  return { ...(uid === unknownId ? {} : { uid }), ...(gid === unknownId ? {} : { gid }) };
}

/** Set-uid and set-gid, which a change of the owner clears, also in the same request. */
const setIds = 0o6000;

/** What a file gets last, request by request: its mode after its owner where that matters, its times with the mode. */
function lastChanges(source: FileAttributes): readonly AttributeChanges[] {
  const { mode, accessed, modified } = source;
  const owner = ownerOf(source);
  if ((mode & setIds) === 0 || Object.keys(owner).length === 0) return [ownedAndDated(source)];
  return [owner, { mode, accessed, modified }];
}

export function hasUnknownOwner({ uid, gid }: FileAttributes): boolean {
  return uid === unknownId || gid === unknownId;
}

/** Times are set last, so a file that has the source's is whole. */
function isCopyOf(copy: FileAttributes, source: FileAttributes): boolean {
  return (
    copy.type === "file" &&
    copy.sizeBytes === source.sizeBytes &&
    copy.mode === source.mode &&
    copy.modified.seconds === source.modified.seconds &&
    copy.modified.nanoseconds === source.modified.nanoseconds
  );
}

function isSame(a: FileName, b: FileName): boolean {
  return typeof a === "string" || typeof b === "string" ? a === b : Buffer.compare(a, b) === 0;
}

/** For what not every server can set, such as the times of a symbolic link. */
async function optional(operation: Promise<void>): Promise<void> {
  try {
    await operation;
  } catch (error) {
    if (!hasCode(error, "storage-unsupported", "storage-io")) throw error;
  }
}
