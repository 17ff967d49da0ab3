import { BerthError } from "../../core/errors.ts";
import type { RunResult } from "../guest/process.ts";
import type { MountedVolume, PodRuntime } from "../orchestrator/kubelet/kubelet.ts";
import type { Pod } from "../orchestrator/objects.ts";
import { commandLine, type ExecOptions, type Job, type Machine, quoted } from "./machine.ts";
import { type Mount, parseMountTable } from "./mount-table.ts";
import { containerScript, type PodMount } from "./pod-script.ts";

interface Container {
  readonly job: Job;
  /** Of its first process, as the machine counts. */
  readonly pid: number;
}

/** The pods of one node: each a process with mounts and processes of its own, and the volumes where it wants them. */
export class Pods implements PodRuntime {
  readonly #machine: () => Machine;
  readonly #containers = new Map<string, Container>();

  /** @param machine the one that runs now: another one after a reboot */
  constructor(machine: () => Machine) {
    this.#machine = machine;
  }

  async start(pod: Pod, volumes: readonly MountedVolume[]): Promise<void> {
    const mounts = pod.mounts.map((mount): PodMount => {
      const found = volumes.find(({ podVolume }) => podVolume.name === mount.name);
      if (found === undefined) {
        throw new BerthError("invalid-argument", `pod ${pod.name} mounts ${mount.name}, which it has not`);
      }
      return { ...mount, source: found.path };
    });
    const job = await this.#machine().start(containerScript(pod.uid, mounts));
    try {
      this.#containers.set(pod.uid, { job, pid: await job.up });
    } catch (reason) {
      const said = (await job.output()).trim();
      throw new BerthError("failed-precondition", `pod ${pod.name} did not start: ${said}`, {
        cause: reason,
      });
    }
  }

  async stop(pod: Pod): Promise<void> {
    const container = this.#containers.get(pod.uid);
    if (container === undefined) return;
    this.#containers.delete(pod.uid);
    await container.job.signal("KILL");
    await container.job.exited;
  }

  /** Runs a command in the pod, as `kubectl exec`. @throws BerthError `not-found` when it does not run */
  async exec(pod: Pod, command: readonly string[], options?: ExecOptions): Promise<RunResult> {
    const container = this.#containers.get(pod.uid);
    if (container === undefined) throw new BerthError("not-found", `pod ${pod.name} does not run`);
    const user = [`--reuid=${pod.uidNumber}`, `--regid=${pod.gidNumber}`, "--clear-groups"];
    const asUser = pod.uidNumber === 0 && pod.gidNumber === 0 ? [] : ["setpriv", ...user, "--"];
    const enter = ["nsenter", `--target=${container.pid}`, "--mount", "--pid", "--root", "--wd", "--"];
    return await this.#machine().exec(`exec ${commandLine([...enter, ...asUser, ...command])}`, options);
  }

  /** What the pod itself sees mounted. */
  async mounts(pod: Pod): Promise<Mount[]> {
    const container = this.#containers.get(pod.uid);
    if (container === undefined) throw new BerthError("not-found", `pod ${pod.name} does not run`);
    const table = await this.#machine().check(`cat ${quoted(`/proc/${container.pid}/mountinfo`)}`);
    return parseMountTable(table);
  }
}
