import { BerthError } from "../../core/errors.ts";
import { type Mount, parseMountTable } from "../machine/mount-table.ts";
import type { Pods } from "../machine/pods.ts";
import type { PodRuntime } from "../orchestrator/kubelet.ts";
import type { Pod } from "../orchestrator/objects.ts";
import type { LabNode } from "./lab.ts";
import type { Recorder } from "./recorder.ts";

const dataPath = "/data";

/** What the pods do with the volume, all of it recorded. */
export class Workload {
  readonly #pods: ReadonlyMap<string, Pods>;
  readonly #recorder: Recorder;
  #lines = 0;

  constructor(nodes: readonly LabNode[], recorder: Recorder) {
    this.#pods = new Map(nodes.map(({ machine, pods }) => [machine.name, pods]));
    this.#recorder = recorder;
  }

  /** What kubelet starts a node's pods with. */
  runtimeOf({ pods }: LabNode): PodRuntime {
    return {
      start: async (pod, path) => {
        await pods.start(pod, path);
        const { name, nodeName: node, volume } = pod;
        const data = dataMount(await pods.mounts(pod));
        this.#recorder.podStarted({ name, node, volumeId: volume.handle, path, data });
      },
      stop: async (pod) => {
        await pods.stop(pod);
        this.#recorder.podEnded(pod);
      },
    };
  }

  /** Every pod that may appends a line of its own. */
  async writeAll(pods: readonly Pod[]): Promise<void> {
    for (const pod of pods.filter(({ readOnly }) => !readOnly)) {
      this.#lines += 1;
      const line = `line ${this.#lines}: ${pod.name} on ${pod.nodeName}`;
      await this.#on(pod).write(pod, line);
      this.#recorder.wrote(pod, line);
    }
  }

  /** Every pod reads the whole file. @returns what the last one read */
  async readAll(pods: readonly Pod[]): Promise<readonly string[]> {
    let lines: readonly string[] = [];
    for (const pod of pods) {
      lines = await this.#on(pod).read(pod);
      this.#recorder.read(pod, lines);
    }
    return lines;
  }

  /** What `df /data` says in a pod. */
  async df(pod: Pod): Promise<readonly string[]> {
    return await this.#on(pod).df(pod);
  }

  #on(pod: Pod): Pods {
    const pods = this.#pods.get(pod.nodeName);
    if (pods === undefined) throw new BerthError("not-found", `the lab has no node ${pod.nodeName}`);
    return pods;
  }
}

function dataMount(table: string): Mount | undefined {
  return parseMountTable(table).find(({ path }) => path === dataPath);
}
