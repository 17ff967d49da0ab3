import { BerthError } from "../core/errors.ts";
import type { ExecOptions } from "./guest/control-line.ts";
import { failed, type RunResult } from "./guest/process.ts";
import type { Mount } from "./machine/mount-table.ts";
import type { Pods } from "./machine/pods.ts";
import { claimKey } from "./orchestrator/claims.ts";
import type { Cluster, PodPhase } from "./orchestrator/cluster.ts";
import type { Events, LabEvent } from "./orchestrator/events.ts";
import type { Pod } from "./orchestrator/objects.ts";

export interface LabPodParts {
  readonly pod: Pod;
  readonly pods: Pods;
  readonly cluster: Cluster;
  readonly events: Events;
  readonly patience: () => AbortSignal;
}

/** A pod of the lab. It may have gone since: `phase` tells. */
export class LabPod {
  readonly name: string;
  readonly uid: string;
  readonly nodeName: string;
  readonly pod: Pod;
  readonly #parts: LabPodParts;

  constructor(parts: LabPodParts) {
    this.#parts = parts;
    this.pod = parts.pod;
    this.name = parts.pod.name;
    this.uid = parts.pod.uid;
    this.nodeName = parts.pod.nodeName;
  }

  /** `undefined` when it has gone. */
  get phase(): PodPhase | undefined {
    return this.#parts.cluster.phaseOf(this.pod);
  }

  get events(): readonly LabEvent[] {
    return this.#parts.events.of(`Pod/${claimKey(this.pod)}`);
  }

  /** Resolves when it runs. @throws BerthError `deadline-exceeded` with its last warning */
  async running(): Promise<void> {
    await this.#until(() => this.phase === "Running", "does not run");
  }

  async gone(): Promise<void> {
    await this.#until(() => this.phase === undefined, "has not gone");
  }

  /** The first warning whose message matches, waited for. */
  async warning(message: RegExp): Promise<LabEvent> {
    const found = () => this.events.find((event) => event.type === "Warning" && message.test(event.message));
    await this.#until(() => found() !== undefined, `has no warning ${message}`);
    const event = found();
    if (event === undefined) throw new BerthError("not-found", `pod ${this.name} has no warning ${message}`);
    return event;
  }

  /** `kubectl exec`: a command of the machine's, run in the pod, whatever its exit code. */
  async exec(command: readonly string[], options?: ExecOptions): Promise<RunResult> {
    return await this.#parts.pods.exec(this.pod, command, options);
  }

  /** A shell script that has to succeed; gives its standard output. @throws BerthError `internal` */
  async check(script: string, options?: ExecOptions): Promise<string> {
    const result = await this.exec(["sh", "-ec", script], options);
    if (result.exitCode !== 0) throw failed(`in pod ${this.name}, ${script}`, result);
    return result.stdout;
  }

  /** Its own mount table. */
  async mounts(): Promise<readonly Mount[]> {
    return await this.#parts.pods.mounts(this.pod);
  }

  async #until(isSo: () => boolean, complaint: string): Promise<void> {
    await untilSo(this.#parts, isSo, () => {
      const last = this.events.findLast(({ type }) => type === "Warning");
      return `pod ${this.name} ${complaint}: ${last?.message ?? "no event tells why"}`;
    });
  }
}

/** Waits with a message of its own. */
export async function untilSo(
  { cluster, patience }: { readonly cluster: Cluster; readonly patience: () => AbortSignal },
  isSo: () => boolean,
  complaint: () => string,
): Promise<void> {
  const signal = patience();
  try {
    await cluster.until(isSo, signal);
  } catch (reason) {
    if (reason !== signal.reason || reason instanceof BerthError) throw reason;
    throw new BerthError("deadline-exceeded", complaint(), { cause: reason });
  }
}
