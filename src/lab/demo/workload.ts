import { BerthError } from "../../core/errors.ts";
import { failed } from "../guest/process.ts";
import type { LabNode } from "../lab-node.ts";
import type { Pods } from "../machine/pods.ts";
import type { PodRuntime } from "../orchestrator/kubelet/kubelet.ts";
import { targetPath } from "../orchestrator/kubelet/kubelet-paths.ts";
import type { Pod } from "../orchestrator/objects.ts";
import type { Recorder } from "./recorder.ts";

const dataPath = "/data";

/** What the pods do with the volume, all of it recorded. */
export class Workload {
  readonly #pods = new Map<string, Pods>();
  readonly #recorder: Recorder;
  #lines = 0;

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  /** What kubelet starts a node's pods with. */
  runtimeOf({ name: node, pods, kubeletDirectory }: LabNode): PodRuntime {
    this.#pods.set(node, pods);
    return {
      start: async (pod, volumes) => {
        await pods.start(pod, volumes);
        const [first] = pod.volumes;
        const data = (await pods.mounts(pod)).find(({ path }) => path === dataPath);
        if (first === undefined) return;
        const path = targetPath(kubeletDirectory, pod, first);
        this.#recorder.podStarted({ name: pod.name, node, volumeId: first.volume.handle, path, data });
      },
      stop: async (pod) => {
        await pods.stop(pod);
        this.#recorder.podEnded(pod);
      },
    };
  }

  /** Every pod appends a line of its own, one after the other: NFS has no appending of its own. */
  async writeAll(pods: readonly Pod[]): Promise<void> {
    for (const pod of pods.filter(({ mounts }) => mounts.every(({ readOnly }) => !readOnly))) {
      this.#lines += 1;
      const line = `line ${this.#lines}: ${pod.name} on ${pod.nodeName}`;
      await this.#check(pod, `echo '${line}' >> ${dataPath}/log`);
      this.#recorder.wrote(pod, line);
    }
  }

  /** Every pod reads the whole file. @returns what the last one read */
  async readAll(pods: readonly Pod[]): Promise<readonly string[]> {
    const files = pods.map(async (pod) => {
      const lines = (await this.#check(pod, `cat ${dataPath}/log`)).trimEnd().split("\n");
      this.#recorder.read(pod, lines);
      return lines;
    });
    return (await Promise.all(files)).at(-1) ?? [];
  }

  /** What `df` says of /data in a pod: source, size, used, where. */
  async df(pod: Pod): Promise<string> {
    return await this.#check(pod, `df -h --output=source,size,used,target ${dataPath}`);
  }

  async #check(pod: Pod, script: string): Promise<string> {
    const pods = this.#pods.get(pod.nodeName);
    if (pods === undefined) throw new BerthError("not-found", `the lab has no node ${pod.nodeName}`);
    const result = await pods.exec(pod, ["sh", "-ec", script]);
    if (result.exitCode !== 0) throw failed(`in pod ${pod.name}, ${script}`, result);
    return result.stdout;
  }
}
