import { readdirSync } from "node:fs";
import type { Mount } from "../machine/mount-table.ts";
import type { Pod } from "../orchestrator/objects.ts";
import { abbreviate, columns, fitPath } from "../timeline/text.ts";
import type { Timeline } from "../timeline/timeline.ts";
import type { LabNode, Machines } from "./lab.ts";

/** What there is to see besides calls: on the share, in the mount tables, in the pods. */
export class Views {
  readonly #machines: Machines;
  readonly #timeline: Timeline;

  constructor(machines: Machines, timeline: Timeline) {
    this.#machines = machines;
    this.#timeline = timeline;
  }

  /** The names at the share's root. */
  share(): void {
    const names = readdirSync(this.#machines.shareDirectory).map(abbreviate);
    this.#timeline.raw(`on the share: ${names.join("  ") || "nothing"}`);
  }

  /** Who has the volume mounted, and how often, out of the nodes' own mount tables. */
  holders(): void {
    const holders = this.#machines.nodes.flatMap((node) => holderOf(node) ?? []);
    this.#timeline.text(`mounted (for the node + for its pods): ${holders.join(", ") || "nowhere"}`);
  }

  /** The mounts of a pod's node, and the pod's own view: all of one directory. */
  mountsOf(pod: Pod, df: readonly string[]): void {
    const node = this.#machines.nodes.find(({ machine }) => machine.name === pod.nodeName);
    if (node === undefined) return;
    const { name, kubeletDirectory } = node.machine;
    this.#timeline.text("");
    this.#timeline.raw(`mounts of ${name} below ${kubeletDirectory} (device, directory, where):`);
    for (const mount of node.machine.mounts()) {
      this.#timeline.raw(`  ${mountLine(mount, kubeletDirectory)}`, "good");
    }
    this.#timeline.raw(`in ${pod.name}, df /data:`);
    for (const line of df) this.#timeline.raw(`  ${line}`, "good");
  }

  /** The first lines of the file, as one pod reads them. */
  file(pod: Pod, lines: readonly string[]): void {
    this.#timeline.text("");
    this.#timeline.raw(`in ${pod.name} on ${pod.nodeName}, cat /data/log:`);
    for (const line of lines) this.#timeline.raw(`  ${line}`, "good");
  }
}

function mountLine({ device, root, path }: Mount, kubeletDirectory: string): string {
  const what = `${device} ${abbreviate(root)}  `;
  const below = path.startsWith(`${kubeletDirectory}/`) ? path.slice(kubeletDirectory.length + 1) : path;
  return `${what}${fitPath(below, columns - 4 - what.length)}`;
}

function holderOf({ machine }: LabNode): string | undefined {
  const mounts = machine.mounts();
  if (mounts.length === 0) return undefined;
  const global = mounts.filter(({ path }) => path.endsWith("/globalmount")).length;
  const pods = mounts.length - global;
  return `${machine.name} ${global}+${pods}`;
}
