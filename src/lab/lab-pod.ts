import { failed, type RunResult } from "./guest/process.ts";
import { untilSoOf, untilWarning, type Waiting } from "./lab-wait.ts";
import type { ExecOptions } from "./machine/machine.ts";
import type { Mount } from "./machine/mount-table.ts";
import type { Pods } from "./machine/pods.ts";
import { claimKey } from "./orchestrator/claims.ts";
import type { PodPhase } from "./orchestrator/cluster.ts";
import type { LabEvent } from "./orchestrator/events.ts";
import type { Pod } from "./orchestrator/objects.ts";

export interface LabPodParts extends Waiting {
  readonly pod: Pod;
  readonly pods: Pods;
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
    return this.#parts.events.of(this.#object);
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
    return await untilWarning(this.#parts, this.#object, message);
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

  /** As events name it. */
  get #object(): string {
    return `Pod/${claimKey(this.pod)}`;
  }

  async #until(isSo: () => boolean, complaint: string): Promise<void> {
    await untilSoOf(this.#parts, this.#object, isSo, `pod ${this.name} ${complaint}`);
  }
}
