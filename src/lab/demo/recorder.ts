import { type Call, type CallHook, textField } from "../calls.ts";
import type { CallResult } from "../csi-client.ts";
import type {
  RecordedCall,
  RecordedFile,
  RecordedPod,
  RecordedTable,
  Recording,
} from "../invariants/recording.ts";
import type { Mount } from "../machine/mount-table.ts";
import type { Pod } from "../orchestrator/objects.ts";

/** A node as far as it is recorded. */
export interface RecordedNode {
  readonly name: string;
  readonly kubeletDirectory: string;
  mounts(): Promise<Mount[]>;
}

export interface RecorderOptions {
  /** Milliseconds since the lab began. */
  readonly elapsedMs: () => number;
  readonly onBegin: (call: Call) => void;
  readonly onEnd: (call: RecordedCall) => void;
}

/** What is looked at after each call. */
export interface Scene {
  readonly nodes: readonly RecordedNode[];
  /** The names at the share's root. */
  readonly shareNames: () => Promise<string[]>;
}

/** Keeps what happens, as it happens: after each call that may change something the mount tables of all nodes. */
export class Recorder implements CallHook {
  readonly #options: RecorderOptions;
  #scene: Scene = { nodes: [], shareNames: async () => [] };
  readonly #calls: RecordedCall[] = [];
  readonly #tables: RecordedTable[] = [];
  readonly #pods = new Map<string, RecordedPod>();
  readonly #writes: RecordedFile[] = [];
  readonly #reads: RecordedFile[] = [];
  readonly #shares: { ms: number; names: string[] }[] = [];

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** From here on there is something to look at. */
  watch(scene: Scene): void {
    this.#scene = scene;
  }

  async around<T>(call: Call, send: () => Promise<CallResult<T>>): Promise<CallResult<T>> {
    const { elapsedMs, onBegin, onEnd } = this.#options;
    onBegin(call);
    const startMs = elapsedMs();
    const result = await send();
    const recorded: RecordedCall = {
      ...call,
      volumeId: call.volumeId || createdVolumeId(result),
      startMs,
      endMs: elapsedMs(),
      code: result.status === "ok" ? "OK" : result.code,
      message: result.status === "ok" ? "" : result.message,
    };
    this.#calls.push(recorded);
    onEnd(recorded);
    if (recorded.volumeId !== "") await this.#lookAtNodes();
    if (recorded.volumeId !== "" && recorded.path === "") await this.#lookAtShare();
    return result;
  }

  podStarted(pod: Omit<RecordedPod, "startMs" | "endMs">): void {
    this.#pods.set(pod.name, { ...pod, startMs: this.#options.elapsedMs() });
  }

  podEnded({ name }: Pod): void {
    const pod = this.#pods.get(name);
    if (pod !== undefined) this.#pods.set(name, { ...pod, endMs: this.#options.elapsedMs() });
  }

  wrote({ name, nodeName }: Pod, line: string): void {
    this.#writes.push({ ms: this.#options.elapsedMs(), pod: name, node: nodeName, lines: [line] });
  }

  read({ name, nodeName }: Pod, lines: readonly string[]): void {
    this.#reads.push({ ms: this.#options.elapsedMs(), pod: name, node: nodeName, lines });
  }

  recording(): Recording {
    return {
      nodes: this.#scene.nodes.map(({ name, kubeletDirectory }) => ({ name, kubeletDirectory })),
      calls: this.#calls,
      tables: this.#tables.toSorted((one, other) => one.ms - other.ms),
      pods: [...this.#pods.values()],
      writes: this.#writes,
      reads: this.#reads,
      shares: this.#shares,
    };
  }

  async #lookAtNodes(): Promise<void> {
    const { elapsedMs } = this.#options;
    const tables = this.#scene.nodes.map(async (node) => {
      const ms = elapsedMs();
      const mounts = await node.mounts();
      this.#tables.push({ ms, untilMs: elapsedMs(), node: node.name, mounts });
    });
    await Promise.all(tables);
  }

  async #lookAtShare(): Promise<void> {
    const names = await this.#scene.shareNames();
    this.#shares.push({ ms: this.#options.elapsedMs(), names });
  }
}

/** CreateVolume's id is in its answer. */
function createdVolumeId(result: CallResult<unknown>): string {
  if (result.status === "error" || typeof result.response !== "object" || result.response === null) return "";
  const volume: unknown = Reflect.get(result.response, "volume");
  return typeof volume === "object" && volume !== null ? textField(volume, "volumeId") : "";
}
