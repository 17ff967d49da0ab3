import { BerthError, hasCode } from "../../core/errors.ts";
import type { NfsClient } from "../client.ts";
import type { FileAttributes, FileHandle, FileName, FileNode } from "../file.ts";
import { Budget } from "./budget.ts";
import type { CopyWay } from "./copy-content.ts";
import { FileCopier, hasUnknownOwner, ownedAndDated } from "./copy-file.ts";
import { HardLinks } from "./hard-links.ts";
import { treeLimits } from "./limits.ts";
import { inFull, isGone, Traversal, type Visitor } from "./traversal.ts";
import { type BriefEntry, nameText, type TreeDirectory, type TreeEntry } from "./tree-directory.ts";
import { ProgressCounter, type TreeOptions, type TreeProgress } from "./tree-options.ts";

export interface CopyOptions extends TreeOptions {
  /**
   * Go on where an earlier run was cut: directories may be there already, files that have the source's size,
   * mode and modification time are kept, others are copied again. Default: the target must not exist.
   */
  readonly resume?: boolean;
}

/** Where a copy shall be: a name that is free. Through the source's own client the server may copy. */
export interface CopyTarget {
  readonly client: NfsClient;
  readonly directory: FileHandle;
  readonly name: FileName;
}

export interface CopyReport extends TreeProgress {
  /** How many files came which way; "kept" are those of an earlier run. */
  readonly ways: Readonly<Record<CopyWay | "kept", number>>;
  /** Names of files with several names that became files of their own: more than `hardLinksMax` at once. */
  readonly unshared: number;
  /**
   * Entries whose owner or group a v4 server named by a name, not a number: their copies belong to whoever
   * copied. Let the server send numbers (NFS-Ganesha: `Only_Numeric_Owners = true`), or use version 3.
   */
  readonly unknownOwners: number;
  /** Devices, sockets and pipes, which are left out. */
  readonly specials: number;
  /** Directories on other file systems, which are made but not entered. */
  readonly boundaries: number;
}

/**
 * Copies a file or a tree with modes, owners, times (of symbolic links where the server sets them), symbolic links, hard links, holes and (where both sides
 * have them) extended attributes: by CLONE where the server can, else COPY, else through this process. A
 * tree that changes meanwhile is not copied as of one instant.
 * @throws BerthError `storage-exists` when the name is taken, unless it resumes; `invalid-argument` when it would go on
 * in the source itself
 */
export async function copyTree(
  client: NfsClient,
  source: FileNode,
  target: CopyTarget,
  options: CopyOptions = {},
  hardLinksMax: number = treeLimits.hardLinksMax,
): Promise<CopyReport> {
  return await new TreeCopy(client, target, options, hardLinksMax).run(source);
}

/** A directory's copy. */
type Copy = FileNode;

class TreeCopy implements Visitor<Copy> {
  readonly #target: CopyTarget;
  readonly #files: FileCopier;
  readonly #resume: boolean;
  readonly #traversal: Traversal<Copy>;
  readonly #progress: ProgressCounter;
  /** Over all directories together. */
  readonly #inFlight = new Budget(treeLimits.filesInFlightMax);
  readonly #links: HardLinks<Promise<FileHandle>>;
  readonly #ways = { clone: 0, copy: 0, "read-write": 0, kept: 0 };
  readonly #client: NfsClient;
  /** What is copied, where the copy could meet it: with another client's it has nothing to do. */
  #source: FileAttributes | undefined;
  /** The copy of the top: a copy into the source itself must not meet itself. */
  #copyId: bigint | undefined;
  #unshared = 0;
  #unknownOwners = 0;
  #specials = 0;
  #boundaries = 0;

  constructor(client: NfsClient, target: CopyTarget, options: CopyOptions, hardLinksMax: number) {
    this.#client = client;
    this.#target = target;
    this.#links = new HardLinks(hardLinksMax);
    this.#resume = options.resume ?? false;
    this.#files = new FileCopier(client, target.client, this.#resume);
    this.#traversal = new Traversal(client, this, inFull, options, treeLimits.copying);
    this.#progress = new ProgressCounter(options.onProgress);
  }

  async run(source: FileNode): Promise<CopyReport> {
    const { directory, name } = this.#target;
    const entry = { ...source, name };
    if (this.#client === this.#target.client) this.#source = source.attributes;
    if (source.attributes.type === "directory") {
      const copy = await this.#makeDirectory(directory, entry, nameText(name));
      this.#copyId = copy.attributes.fileid;
      await this.#traversal.run(source, copy);
    } else {
      if (this.#resume) await this.#lookForItself(directory, name);
      await this.#copyOther(directory, entry, nameText(name));
    }
    const { entries, sizeBytes } = this.#progress;
    return {
      ...{ entries, sizeBytes, ways: this.#ways },
      unknownOwners: this.#unknownOwners,
      ...{ unshared: this.#unshared, specials: this.#specials, boundaries: this.#boundaries },
    };
  }

  async page(directory: TreeDirectory<Copy>, entries: readonly TreeEntry[]): Promise<void> {
    const others = entries.filter(({ attributes }) => attributes.type !== "directory");
    await Promise.all(
      others.map((entry) => this.#inFlight.use(1, async () => await this.#copyNoted(directory, entry))),
    );
  }

  async enter(parent: TreeDirectory<Copy>, entry: TreeEntry): Promise<{ readonly data: Copy } | undefined> {
    if (entry.attributes.fileid === this.#copyId) return undefined;
    try {
      return { data: await this.#makeDirectory(parent.data.handle, entry, parent.pathOf(entry.name)) };
    } catch (error) {
      this.#traversal.failures.note(error);
      return undefined;
    }
  }

  boundary(parent: TreeDirectory<Copy>, { name }: BriefEntry): void {
    this.#boundaries++;
    this.#traversal.failures.note(
      new BerthError(
        "storage-busy",
        `${JSON.stringify(parent.pathOf(name))} is another file system, which is not entered: copy it by itself`,
      ),
    );
  }

  /** Owner, mode and times last: until then they would change, or forbid what is still to be done. */
  async leave(directory: TreeDirectory<Copy>): Promise<"done"> {
    const options = this.#traversal.options({ path: directory.path || nameText(this.#target.name) });
    try {
      await this.#files.copyXattrs(directory.handle, directory.data.handle, options);
      await this.#target.client.setattr(directory.data.handle, ownedAndDated(directory.attributes), options);
      this.#done(directory.attributes, 0n);
    } catch (error) {
      this.#traversal.failures.note(error);
    }
    return "done";
  }

  async #makeDirectory(parent: FileHandle, { name }: TreeEntry, path: string): Promise<Copy> {
    const { client } = this.#target;
    const options = this.#traversal.options({ path });
    try {
      return await client.mkdir(parent, name, { mode: 0o700 }, options);
    } catch (error) {
      if (!this.#resume || !hasCode(error, "storage-exists")) throw error;
      const existing = await client.lookup(parent, name, options);
      if (existing.attributes.type !== "directory") throw error;
      this.#refuseItself(existing, path);
      return existing;
    }
  }

  async #lookForItself(directory: FileHandle, name: FileName): Promise<void> {
    const options = this.#traversal.options({ path: nameText(name) });
    try {
      this.#refuseItself(await this.#target.client.lookup(directory, name, options), nameText(name));
    } catch (error) {
      if (!hasCode(error, "storage-no-entry")) throw error;
    }
  }

  /** To go on means to replace what differs: the source would lose what is replaced. */
  #refuseItself({ attributes: { fsid, fileid } }: FileNode, path: string): void {
    if (fsid !== this.#source?.fsid || fileid !== this.#source.fileid) return;
    const what = `${this.#client.name}: ${JSON.stringify(path)}`;
    throw new BerthError("invalid-argument", `${what} is what is to be copied: name another target`);
  }

  async #copyNoted(directory: TreeDirectory<Copy>, entry: TreeEntry): Promise<void> {
    if (this.#traversal.signal.aborted) return;
    try {
      await this.#copyOther(directory.data.handle, entry, directory.pathOf(entry.name));
    } catch (error) {
      if (!isGone(error)) this.#note(error);
    }
  }

  /** What ends the work ends it at once, and `page` only returns when all that was begun has ended. */
  #note(error: unknown): void {
    try {
      this.#traversal.failures.note(error);
    } catch (reason) {
      this.#traversal.stop(reason);
    }
  }

  async #copyOther(directory: FileHandle, entry: TreeEntry, path: string): Promise<void> {
    const { attributes } = entry;
    const options = this.#traversal.options({ path });
    let restBytes = 0n;
    if (attributes.type === "symlink") {
      await this.#files.copySymlink(entry, directory, entry.name, options);
    } else if (attributes.type !== "file") {
      this.#specials++;
      return;
    } else if (attributes.links > 1) {
      restBytes = await this.#copyLinked(directory, entry, path);
    } else {
      restBytes = await this.#copyFile(directory, entry, path);
    }
    this.#done(attributes, restBytes);
  }

  #done(attributes: FileAttributes, sizeBytes: bigint): void {
    if (hasUnknownOwner(attributes)) this.#unknownOwners++;
    this.#progress.add(1, sizeBytes);
  }

  /** The first name makes the copy, the others become names of it. @returns as `#copyFile` */
  async #copyLinked(directory: FileHandle, entry: TreeEntry, path: string): Promise<bigint> {
    const first = this.#links.seen(entry.attributes);
    if (first !== undefined) {
      await this.#files.link(await first, directory, entry.name, this.#traversal.options({ path }));
      return entry.attributes.sizeBytes;
    }
    const { client } = this.#target;
    const copying = this.#copyFile(directory, entry, path);
    const copied = copying.then(
      async () => (await client.lookup(directory, entry.name, this.#traversal.options({ path }))).handle,
    );
    if (!this.#links.remember(entry.attributes, copied)) this.#unshared++;
    await copied;
    return await copying;
  }

  /** @returns how much of the file's length has not been told of: all of it where it came in one piece */
  async #copyFile(directory: FileHandle, entry: TreeEntry, path: string): Promise<bigint> {
    let toldBytes = 0n;
    const onCopied = (bytes: bigint) => {
      toldBytes += bytes;
      this.#progress.add(0, bytes);
    };
    const options = { ...this.#traversal.options({ path }), onCopied };
    try {
      this.#ways[await this.#files.copyFile(entry, directory, entry.name, options)]++;
    } catch (error) {
      this.#progress.add(0, -toldBytes);
      throw error;
    }
    return entry.attributes.sizeBytes - toldBytes;
  }
}
