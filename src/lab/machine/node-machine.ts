import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Lines } from "./lines.ts";
import { type Mount, readMountTable } from "./mount-table.ts";
import { run, start } from "./processes.ts";

/**
 * A node: a mount namespace of its own, with a kubelet directory. A process that does nothing keeps it,
 * so that the node outlives its plugin and its pods.
 */
export class NodeMachine {
  readonly name: string;
  readonly kubeletDirectory: string;
  readonly #keeper: ChildProcessWithoutNullStreams;
  /** Where something was mounted before any plugin ran. */
  readonly #inherited: ReadonlySet<string>;

  private constructor(name: string, kubeletDirectory: string, keeper: ChildProcessWithoutNullStreams) {
    this.name = name;
    this.kubeletDirectory = kubeletDirectory;
    this.#keeper = keeper;
    this.#inherited = new Set(this.#table().map(({ path }) => path));
  }

  /** @param directory what the node keeps; made here */
  static async boot(name: string, directory: string): Promise<NodeMachine> {
    const kubeletDirectory = join(directory, "kubelet");
    mkdirSync(kubeletDirectory, { recursive: true });
    const unshared = ["--mount", "--propagation", "private"];
    const keeper = await start("unshare", ...unshared, "sh", "-c", "echo up; exec cat");
    await new Lines(keeper.stdout, name).next();
    return new NodeMachine(name, kubeletDirectory, keeper);
  }

  /** What has been mounted on this node since it booted, oldest first. */
  mounts(): Mount[] {
    return this.#table().filter(({ path }) => !this.#inherited.has(path));
  }

  isMountPoint(path: string): boolean {
    return this.#table().some((mount) => mount.path === path);
  }

  /** A command line that runs another one on this node. */
  command(...args: readonly string[]): [string, ...string[]] {
    return ["nsenter", `--mount=/proc/${this.#keeper.pid}/ns/mnt`, "--", ...args];
  }

  async run(...args: readonly string[]): Promise<string> {
    return await run(...this.command(...args));
  }

  #table(): Mount[] {
    const { pid } = this.#keeper;
    return pid === undefined ? [] : readMountTable(pid);
  }
}
