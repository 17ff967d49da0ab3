import type { FileAttributes } from "../file.ts";

/**
 * Files with several names that were met, each with a value, until all its names were seen. The set is
 * bounded: beyond it a file is not remembered, and the caller falls back to something stated.
 */
export class HardLinks<T> {
  readonly #known = new Map<bigint, { readonly value: T; unseen: number }>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** Of the file of one more name: what was remembered at its first. */
  seen(file: FileAttributes): T | undefined {
    const known = this.#known.get(file.fileid);
    if (known === undefined) return undefined;
    known.unseen--;
    if (known.unseen <= 0) this.#known.delete(file.fileid);
    return known.value;
  }

  /** At the first name of a file. @returns false when there is no room to remember it */
  remember(file: FileAttributes, value: T): boolean {
    if (this.#known.size >= this.#max) return false;
    this.#known.set(file.fileid, { value, unseen: file.links - 1 });
    return true;
  }
}
