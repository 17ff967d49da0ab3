import type { BigIntStats } from "node:fs";
import type { Clock } from "../core/clock.ts";
import { BerthError } from "../core/errors.ts";
import { errnoOf } from "./errno.ts";
import { closeFd, listOpen, type Name, openDirectoryAt, statAt, statOpen } from "./fs-at.ts";
import type { TreeOptions, TreeUsage } from "./share.ts";

/** Directories seen and not entered yet, and files with several names: beyond it the result is approximate. */
const rememberedMax = 65_536;
/** Entries between two looks at the clock; each takes microseconds, and others wait. */
const entriesPerTurn = 64;

/**
 * Measures what `name` in the open directory `parent` stands for. One directory is open at a time, whatever
 * the depth: the way up is `..`, and it must lead back to where it came from.
 */
export async function usageAt(
  parent: number,
  name: Name,
  options: TreeOptions,
  clock: Clock,
): Promise<TreeUsage> {
  const stat = statAt(parent, name);
  const measurement = new Measurement(options, clock, stat.dev);
  measurement.add(stat);
  if (stat.isDirectory()) await measurement.below(openDirectoryAt(parent, name));
  return measurement.total();
}

interface Level {
  readonly stat: BigIntStats;
  /** Directories to enter. */
  readonly names: Name[];
}

class Measurement {
  readonly #options: TreeOptions;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #device: bigint;
  /** Files with several names, and how many of those are still to come. */
  readonly #links = new Map<bigint, bigint>();
  #waiting = 0;
  #usedBytes = 0n;
  #inodes = 0;
  #entries = 0;
  #approximate = false;

  constructor(options: TreeOptions, clock: Clock, device: bigint) {
    this.#options = options;
    this.#clock = clock;
    this.#startedMs = clock.nowMs();
    this.#device = device;
  }

  total(): TreeUsage {
    return { usedBytes: this.#usedBytes, inodes: this.#inodes, approximate: this.#approximate };
  }

  add(stat: BigIntStats): void {
    this.#entries += 1;
    if (!stat.isDirectory() && stat.nlink > 1n && this.#isAnotherName(stat)) return;
    this.#inodes += 1;
    this.#usedBytes += stat.blocks * 512n;
  }

  /** All below an open directory, which is closed in the end. */
  async below(top: number): Promise<void> {
    let fd = top;
    const levels: Level[] = [];
    try {
      levels.push({ stat: statOpen(fd), names: await this.#list(fd) });
      for (;;) {
        const level = levels.at(-1);
        if (level === undefined) return;
        const name = level.names.pop();
        if (name !== undefined) {
          this.#waiting -= 1;
          const entered = this.#enter(fd, name);
          if (entered === undefined) continue;
          closeFd(fd);
          fd = entered;
          levels.push({ stat: statOpen(fd), names: await this.#list(fd) });
        } else {
          levels.pop();
          const above = levels.at(-1);
          if (above === undefined) return;
          const up = openDirectoryAt(fd, "..");
          closeFd(fd);
          fd = up;
          checkIs(statOpen(fd), above.stat);
        }
      }
    } finally {
      closeFd(fd);
    }
  }

  #enter(directory: number, name: Name): number | undefined {
    try {
      return openDirectoryAt(directory, name);
    } catch (reason) {
      if (errnoOf(reason) === "EACCES") this.#approximate = true;
      else if (!["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoOf(reason) ?? "")) throw reason;
      return undefined; // gone, or replaced by something else in the meantime
    }
  }

  /** Counts the entries of a directory. @returns the directories among them */
  async #list(directory: number): Promise<Name[]> {
    const names: Name[] = [];
    const listing = listOpen(directory);
    try {
      for (;;) {
        const entry = await listing.read();
        if (entry === null) return names;
        // Names are bytes (see `listOpen`).
        const name: Name = typeof entry.name === "string" ? Buffer.from(entry.name) : entry.name;
        const stat = statOf(directory, name);
        if (stat === undefined) continue;
        this.add(stat);
        if (stat.isDirectory()) this.#remember(names, name, stat);
        if (this.#entries % entriesPerTurn === 0) await this.#pace();
      }
    } finally {
      listing.closeSync();
    }
  }

  #remember(names: Name[], name: Name, stat: BigIntStats): void {
    if (stat.dev !== this.#device || this.#waiting >= rememberedMax) {
      this.#approximate = true;
      return;
    }
    this.#waiting += 1;
    names.push(name);
  }

  #isAnotherName({ ino, nlink }: BigIntStats): boolean {
    const unseen = this.#links.get(ino);
    if (unseen !== undefined) {
      if (unseen <= 1n) this.#links.delete(ino);
      else this.#links.set(ino, unseen - 1n);
      return true;
    }
    if (this.#links.size < rememberedMax) this.#links.set(ino, nlink - 1n);
    else this.#approximate = true;
    return false;
  }

  async #pace(): Promise<void> {
    const { entriesPerSecondMax, signal, onProgress } = this.#options;
    signal?.throwIfAborted();
    onProgress?.({ entries: this.#entries });
    if (entriesPerSecondMax === undefined) return;
    const aheadMs = (this.#entries * 1000) / entriesPerSecondMax - (this.#clock.nowMs() - this.#startedMs);
    if (aheadMs > 0) await this.#clock.sleep(aheadMs, signal);
  }
}

function statOf(directory: number, name: Name): BigIntStats | undefined {
  try {
    return statAt(directory, name);
  } catch (reason) {
    if (errnoOf(reason) === "ENOENT") return undefined; // gone in the meantime
    throw reason;
  }
}

function checkIs(found: BigIntStats, expected: BigIntStats): void {
  if (found.ino === expected.ino && found.dev === expected.dev) return;
  throw new BerthError("storage-busy", "the tree was moved about while it was measured: measure it again");
}
