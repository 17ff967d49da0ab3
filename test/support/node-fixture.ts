import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Call, Effects } from "../../src/core/call.ts";
import { silentLog } from "../../src/core/log.ts";
import { parseVolumeName } from "../../src/core/volume-id.ts";
import { EphemeralRecords } from "../../src/node/ephemeral/ephemeral-records.ts";
import { EphemeralVolumes } from "../../src/node/ephemeral/ephemeral-volumes.ts";
import { Helpers } from "../../src/node/helpers/helpers.ts";
import type { BindSource } from "../../src/node/mounts/mount-source.ts";
import { type Mount, readMountTable } from "../../src/node/mounts/mount-table.ts";
import { MountWork } from "../../src/node/mounts/mount-work.ts";
import { type NodeLimits, nodeLimits } from "../../src/node/node-limits.ts";
import { NodeVolumes, type PublishRequest, type StageRequest } from "../../src/node/node-volumes.ts";
import { VolumeStats } from "../../src/node/stats/volume-stats.ts";
import { scratchDirectory } from "../../tools/scratch.ts";

export interface FixtureOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly limits?: Partial<NodeLimits>;
  /** The kubelet's directory is a symbolic link to where it really is. */
  readonly linkedKubelet?: boolean;
}

/** A share with one volume, a kubelet's directory, and a node plugin; gone with `using`. */
export class NodeFixture implements Disposable {
  readonly root = scratchDirectory("node");
  readonly share = join(this.root, "share");
  readonly kubelet = join(this.root, "kubelet");
  readonly staging = join(this.kubelet, "plugins/kubernetes.io/csi/d/1/globalmount");
  readonly volumeId = "directory/bind/pvc-1/default";
  readonly source: BindSource = {
    kind: "bind",
    shareName: "default",
    sharePath: this.share,
    name: parseVolumeName("pvc-1"),
  };
  readonly helpers: Helpers;
  readonly volumes: NodeVolumes;
  readonly stats: VolumeStats;
  /** Off: no export is for pods. */
  readonly ephemeral: EphemeralVolumes;

  constructor({ env, limits, linkedKubelet = false }: FixtureOptions = {}) {
    const real = linkedKubelet ? join(this.root, "real") : this.kubelet;
    mkdirSync(real);
    if (linkedKubelet) symlinkSync(real, this.kubelet);
    mkdirSync(this.staging, { recursive: true });
    this.addVolume("pvc-1");
    const all = { ...nodeLimits, ...limits };
    this.helpers = new Helpers({ killGroup, ...(env && { env }) }, all);
    const parts = { helpers: this.helpers, kubeletDir: this.kubelet, limits: all };
    const work = new MountWork(parts);
    this.volumes = new NodeVolumes(work);
    this.ephemeral = new EphemeralVolumes({
      work,
      records: new EphemeralRecords(join(this.root, "ephemeral")),
      shares: { check: unexpected, create: unexpected, delete: unexpected },
      known: { directories: new Map(), exports: new Map() },
      allowed: [],
    });
    this.stats = new VolumeStats(parts);
  }

  addVolume(name: string): void {
    mkdirSync(join(this.share, name), { recursive: true });
    mkdirSync(join(this.share, ".berth/volumes", name), { recursive: true });
    writeFileSync(join(this.share, ".berth/volumes", name, "identity.json"), "{}");
  }

  target(pod: string): string {
    return join(this.kubelet, "pods", pod, "volumes/kubernetes.io~csi/pvc-1/mount");
  }

  stage(change: Partial<StageRequest> = {}, call = newCall()): Promise<void> {
    return this.volumes.stage({ ...this.#request(), ...change }, call);
  }

  publish(pod: string, change: Partial<PublishRequest> = {}, call = newCall()): Promise<void> {
    const request = { ...this.#request(), targetPath: this.target(pod), targets: "many" as const };
    return this.volumes.publish({ ...request, ...change }, call);
  }

  unpublish(pod: string): Promise<void> {
    const { volumeId, source } = this;
    return this.volumes.unpublish({ volumeId, source, path: this.target(pod) }, newCall());
  }

  unstage(): Promise<void> {
    const { volumeId, source, staging } = this;
    return this.volumes.unstage({ volumeId, source, path: staging }, newCall());
  }

  async mountsBelow(path = this.root): Promise<Mount[]> {
    return (await readMountTable()).below(path);
  }

  [Symbol.dispose](): void {
    this.helpers.close();
    execFileSync("sh", [
      "-c",
      `grep -F -- "$1/" /proc/self/mountinfo | cut -d' ' -f5 | sort -r | while read -r m; do umount -l "$m"; done`,
      "sh",
      this.root,
    ]);
    rmSync(this.root, { recursive: true, force: true });
  }

  #request(): StageRequest {
    const { volumeId, source, staging: stagingPath } = this;
    return { volumeId, source, stagingPath, readOnly: false, mountFlags: [] };
  }
}

export function newCall(signal: AbortSignal = new AbortController().signal): Call {
  return { signal, effects: new Effects(), log: silentLog };
}

export function run(command: string, ...args: string[]): void {
  execFileSync(command, args);
}

/** A process that works in a directory, and so keeps its mount busy. */
export async function keepBusy(directory: string): Promise<Disposable> {
  const child = spawn("sh", ["-c", "echo here; exec sleep 60"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "ignore"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return {
    [Symbol.dispose]: () => {
      child.kill("SIGKILL");
    },
  };
}

function unexpected(): Promise<never> {
  return Promise.reject(new Error("no share was to be touched"));
}

function killGroup(leaderPid: number): void {
  process.kill(-leaderPid, "SIGKILL");
}
