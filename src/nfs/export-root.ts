import { hasCode } from "../core/errors.ts";
import type { FileHandle, FileNode } from "./file.ts";

/** The root of an export, as its client has it. */
export class ExportRoot {
  readonly #find: () => Promise<FileNode>;
  #node: FileNode;
  #renewal: Promise<void> | undefined;

  /** @param find goes the way to it again, as at the start */
  constructor(node: FileNode, find: () => Promise<FileNode>) {
    this.#node = node;
    this.#find = find;
  }

  get node(): FileNode {
    return this.#node;
  }

  /**
   * Finds it again if its handle is stale; once for all who ask meanwhile.
   * @param look any operation on its handle
   */
  renew(look: (root: FileHandle) => Promise<unknown>): Promise<void> {
    this.#renewal ??= this.#renew(look).finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #renew(look: (root: FileHandle) => Promise<unknown>): Promise<void> {
    try {
      await look(this.#node.handle);
    } catch (reason) {
      if (!hasCode(reason, "storage-stale")) throw reason;
      this.#node = await this.#find();
    }
  }
}
