import type { Call } from "../core/call.ts";
import { BerthError } from "../core/errors.ts";
import { exitCodes, type Reply } from "./helpers/helper-script.ts";
import { combineFlags, equalFlags, flagsOf, type MountWish, printFlags } from "./mounts/mount-flags.ts";
import { type BindSource, isMountOf, storageOf, type VolumeTree } from "./mounts/mount-source.ts";
import { isWithin, type Mount } from "./mounts/mount-table.ts";
import type { MountWork } from "./mounts/mount-work.ts";
import { nameOf, parentOf } from "./mounts/node-path.ts";
import { checkBelowKubelet, survey, type View } from "./mounts/survey.ts";
import type { StagedVolume, VolumeKind } from "./volume-kind.ts";

/** A volume on a share that is a local directory: staging is a bind mount, as publishing is. */
export class BindVolume implements VolumeKind {
  readonly storage: string;
  readonly #work: MountWork;
  readonly #volumeId: string;
  readonly #source: BindSource;

  constructor(work: MountWork, volumeId: string, source: BindSource) {
    this.storage = storageOf(source);
    this.#work = work;
    this.#volumeId = volumeId;
    this.#source = source;
  }

  async stage(wish: MountWish, path: string, call: Call): Promise<void> {
    const volumeId = this.#volumeId;
    const source = this.#source;
    const view = await survey(this.#work.parts, { volumeId, source, path }, call.signal);
    checkBelowKubelet(view, "staging path");
    const tree = knownTree(view);
    const under = view.table.holding(tree.directoryPath);
    const share = `share ${source.shareName}`;
    const flags = combineFlags(flagsOf(under), wish, share);
    const there = view.table.at(view.path);
    const what = `staging path ${path}`;
    if (there !== undefined) {
      if (!isMountOf(there, tree)) throw somethingElse(there, what);
      if (!equalFlags(flagsOf(there), flags)) throw otherwise(what);
      return;
    }
    if (under.superOptions.includes("ro") && !flags.restrictions.has("ro")) {
      throw new BerthError(
        "failed-precondition",
        `${share} (${source.sharePath}) is read-only on this node: make its file system writable, or use a read-only access mode`,
      );
    }
    const { recordPath, directoryPath } = tree;
    await this.#work.mount(
      {
        volumeId,
        storage: this.storage,
        path: view.path,
        flags,
        isMine: (mount) => isMountOf(mount, tree),
        verb: "stage",
        args: [recordPath, directoryPath, parentOf(view.path), nameOf(view.path), printFlags(flags)],
        what: `volume ${volumeId} at staging path ${path}`,
        failure: (reply) => this.#stageError(reply),
      },
      call,
    );
  }

  async staged(view: View, wish: MountWish, stagingPath: string): Promise<StagedVolume | undefined> {
    const tree = knownTree(view);
    const mount = view.stagingPath === undefined ? undefined : view.table.at(view.stagingPath);
    if (mount === undefined || !isMountOf(mount, tree)) return undefined;
    return {
      mount,
      flags: combineFlags(flagsOf(mount), wish, `staging path ${stagingPath}`),
      at: (there) => (isMountOf(there, tree) ? "current" : "foreign"),
      targets: view.table
        .of(tree.directory)
        .filter(({ mountPoint }) => isWithin(mountPoint, view.kubeletDir) && mountPoint !== view.stagingPath),
      check: async () => {},
    };
  }

  #stageError({ exitCode }: Reply): BerthError | undefined {
    const { shareName, sharePath, name } = this.#source;
    const share = `share ${shareName} (${sharePath})`;
    if (exitCode === exitCodes.noRecord) {
      return new BerthError(
        "not-found",
        `volume ${this.#volumeId} has no record on ${share} as this node sees it: create it, or mount the right share there`,
      );
    }
    if (exitCode !== exitCodes.notTheDirectory) return undefined;
    return new BerthError(
      "failed-precondition",
      `volume ${this.#volumeId}: ${name} on ${share} is not a directory: put back the volume's own`,
    );
  }
}

function knownTree({ tree }: View): VolumeTree {
  if (tree === undefined) throw new BerthError("internal", "a volume without a source cannot be mounted");
  return tree;
}

/** @param what `staging path /…` */
export function somethingElse(mount: Mount, what: string): BerthError {
  return new BerthError(
    "failed-precondition",
    `${what} is a mount of something else (${mount.source} ${mount.root}): unmount it, or use another path`,
  );
}

export function otherwise(what: string): BerthError {
  return new BerthError(
    "already-exists",
    `${what} has the volume already, mounted in another way: unmount it first, or ask for the same`,
  );
}
