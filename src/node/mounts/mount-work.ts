import type { Call } from "../../core/call.ts";
import { BerthError } from "../../core/errors.ts";
import { type Reply, stepError, type Verb } from "../helpers/helper-script.ts";
import type { Helpers } from "../helpers/helpers.ts";
import { type NfsServers, nfsServers, serverAnswers } from "../nfs/nfs-plan.ts";
import { type NodeLimits, nodeLimits } from "../node-limits.ts";
import { equalFlags, flagsOf, type MountFlags } from "./mount-flags.ts";
import { type Mount, type MountTable, type MountTableReader, readMountTable } from "./mount-table.ts";
import { parseNodePath } from "./node-path.ts";
import type { SurveyParts } from "./survey.ts";
import { type IsOurs, unmountAll } from "./unmount.ts";

/** What the plugin's parts work with; what is left out is the machine's own. */
export interface NodeParts {
  readonly helpers: Helpers;
  readonly kubeletDir: string;
  readonly readTable?: MountTableReader;
  readonly limits?: NodeLimits;
  readonly servers?: NfsServers;
}

interface WorkParts extends SurveyParts {
  readonly servers: NfsServers;
}

/** Whose a step is. */
export interface Subject {
  readonly volumeId: string;
  /** What the step may have to wait for (`storageOf`). */
  readonly storage?: string | undefined;
}

/** A mount to be made, and how to tell that it is what was meant. */
export interface MountJob extends Subject {
  /** Resolved; nothing is mounted there. */
  readonly path: string;
  readonly flags: MountFlags;
  readonly isMine: (mount: Mount) => boolean;
  readonly verb: Verb;
  readonly args: readonly string[];
  /** What messages are about. */
  readonly what: string;
  /** What the step's own exit codes mean; undefined for those of every step. */
  readonly failure: (reply: Reply) => BerthError | undefined;
}

/** Mounts and unmounts, each as a step in a helper and checked in the kernel's table. */
export class MountWork {
  readonly parts: WorkParts;

  constructor(parts: NodeParts) {
    const { helpers, readTable = readMountTable, limits = nodeLimits, servers = nfsServers } = parts;
    const kubeletDir = parseNodePath(parts.kubeletDir, "kubelet directory");
    this.parts = { helpers, readTable, limits, servers, kubeletDir };
  }

  /** Mounts, and looks whether what is there now is what was meant; if not, nothing stays. */
  async mount(job: MountJob, call: Call): Promise<void> {
    call.effects.begin();
    try {
      const reply = await this.step(job, job.verb, job.args, call.signal);
      if (reply.exitCode !== 0) throw job.failure(reply) ?? stepError(job.verb, reply, job.what);
      const mount = (await this.parts.readTable()).at(job.path);
      if (mount === undefined || !job.isMine(mount) || !equalFlags(flagsOf(mount), job.flags)) {
        throw new BerthError(
          "unavailable",
          `${job.what}: mounted, but the kernel's mount table shows something else: look who else mounts there`,
        );
      }
    } catch (error) {
      await this.#undo(job, call);
      throw error;
    }
  }

  /** Takes away every mount at the path, as `unmountAll`. */
  async unmount(
    subject: Subject,
    path: string,
    isOurs: IsOurs,
    table: MountTable,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { readTable, limits, servers } = this.parts;
    const unmounter = {
      readTable,
      stackedMax: limits.stackedMountsMax,
      signal,
      answers: (mount: Mount) => serverAnswers(servers, mount, limits, signal),
      step: (verb: Verb, at: string, again: boolean) =>
        this.step({ ...subject, again }, verb, [at], signal, limits.unmountMsMax),
    };
    await unmountAll(unmounter, subject.volumeId, path, isOurs, table);
  }

  step(
    { volumeId, storage, again }: Subject & { readonly again?: boolean },
    verb: Verb,
    args: readonly string[],
    signal: AbortSignal | undefined,
    timeoutMs = this.parts.limits.stepMsMax,
  ): Promise<Reply> {
    return this.parts.helpers.run({
      volumeId,
      verb,
      args,
      timeoutMs,
      ...(storage === undefined ? {} : { storage }),
      ...(again === undefined ? {} : { again }),
      ...(signal && { signal }),
    });
  }

  /** An empty directory; none there is fine. @throws BerthError `failed-precondition` for anything else */
  async remove(volumeId: string, path: string, call: Call): Promise<void> {
    const reply = await this.step({ volumeId }, "remove", [path], call.signal);
    if (reply.exitCode !== 0) throw stepError("remove", reply, `volume ${volumeId}: target path ${path}`);
  }

  /** After a failed publish; its own failure is told by unpublish, which comes to it again. */
  async removeQuietly(volumeId: string, path: string, call: Call): Promise<void> {
    try {
      const reply = await this.step({ volumeId }, "remove", [path], undefined);
      if (reply.exitCode === 0) return;
      call.log.warn("the target of a failed publish stays", { volumeId, path, exitCode: reply.exitCode });
    } catch (reason) {
      const error = BerthError.from(reason);
      call.log.warn("the target of a failed publish stays", { volumeId, path, error });
    }
  }

  /** After a failed mount, which may have happened in part. Nothing was mounted there before. */
  async #undo(job: MountJob, call: Call): Promise<void> {
    const { volumeId, path } = job;
    try {
      await this.unmount(job, path, job.isMine, await this.parts.readTable(), undefined);
    } catch (error) {
      const reason = BerthError.from(error);
      call.log.warn(`cannot undo a failed mount: ${reason.message}`, { volumeId, path });
      throw new BerthError("unavailable", `volume ${volumeId}: a failed mount could not be undone: retry`, {
        cause: reason,
      });
    }
  }
}
