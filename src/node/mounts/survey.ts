import { BerthError } from "../../core/errors.ts";
import { stepError } from "../helpers/helper-script.ts";
import type { Helpers } from "../helpers/helpers.ts";
import type { Held } from "../helpers/quarantine.ts";
import type { NodeLimits } from "../node-limits.ts";
import { type BindSource, storageOf, treeOf, type VolumeTree } from "./mount-source.ts";
import { isWithin, type MountTable, type MountTableReader } from "./mount-table.ts";
import { childOf, nameOf, parentOf } from "./node-path.ts";

/** What a call is about: paths as the caller names them, already parsed. */
export interface Subject {
  readonly volumeId: string;
  /** Of a volume on a local directory: where that really lies. */
  readonly source?: BindSource | undefined;
  readonly path: string;
  readonly stagingPath?: string;
}

/** What a call must know of the machine before it decides, all of it read and nothing touched. */
export interface View {
  readonly table: MountTable;
  /** Resolved, but for the last component: a symbolic link there is nobody's mount point. */
  readonly path: string;
  readonly stagingPath: string | undefined;
  readonly kubeletDir: string;
  /** Undefined when the subject has no local directory. */
  readonly tree: VolumeTree | undefined;
}

export interface SurveyParts {
  readonly helpers: Helpers;
  readonly readTable: MountTableReader;
  readonly kubeletDir: string;
  readonly limits: NodeLimits;
}

/** The kernel's table shows resolved paths, so those of the call are resolved first, by a helper. */
export async function survey(parts: SurveyParts, subject: Subject, signal?: AbortSignal): Promise<View> {
  const asked = [parts.kubeletDir, parentOf(subject.path)];
  if (subject.stagingPath !== undefined) asked.push(parentOf(subject.stagingPath));
  if (subject.source !== undefined) asked.push(subject.source.sharePath);
  const storage = subject.source === undefined ? {} : { storage: storageOf(subject.source) };
  const resolved = await resolve(parts, { volumeId: subject.volumeId, ...storage }, asked, signal);
  const [kubeletDir = "", parent = ""] = resolved;
  const stagingParent = subject.stagingPath === undefined ? undefined : resolved[2];
  const sharePath = subject.source === undefined ? undefined : resolved.at(-1);
  const table = await parts.readTable();
  return {
    table,
    kubeletDir,
    path: childOf(parent, nameOf(subject.path)),
    stagingPath:
      stagingParent === undefined || subject.stagingPath === undefined
        ? undefined
        : childOf(stagingParent, nameOf(subject.stagingPath)),
    tree:
      subject.source === undefined || sharePath === undefined
        ? undefined
        : treeOf(subject.source, sharePath, table),
  };
}

/** @throws BerthError `invalid-argument` for a path that is not below the kubelet's directory */
export function checkBelowKubelet(view: View, what: string): void {
  if (view.path !== view.kubeletDir && isWithin(view.path, view.kubeletDir)) return;
  throw new BerthError(
    "invalid-argument",
    `${what} ${view.path} is not below the kubelet's directory ${view.kubeletDir}: ` +
      "start the node plugin with the --kubelet-dir that this node's kubelet has",
  );
}

async function resolve(
  { helpers, limits }: SurveyParts,
  subject: Held,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const reply = await helpers.run({
    ...subject,
    verb: "resolve",
    args: paths.map((path) => (path === "/" ? "" : path)),
    timeoutMs: limits.stepMsMax,
    ...(signal && { signal }),
  });
  const resolved = reply.output.split("\n").slice(0, -1);
  if (reply.exitCode !== 0 || resolved.length !== paths.length) {
    throw stepError("resolve", reply, `volume ${subject.volumeId}: its paths`);
  }
  return resolved.map((path) => (path === "" ? "/" : path));
}
