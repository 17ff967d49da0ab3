import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Call, Effects } from "../../src/core/call.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { silentLog } from "../../src/core/log.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import { type VolumeId, volumeNameOf } from "../../src/core/volume-id.ts";
import { DirectoryShare } from "../../src/share/directory-share.ts";
import type { Share } from "../../src/share/share.ts";
import type { ShareContext } from "../../src/volumes/context.ts";
import { layoutPaths } from "../../src/volumes/layout.ts";
import { Reaper, type ReapReport } from "../../src/volumes/reaper.ts";
import { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import type { VolumeRequest } from "../../src/volumes/volume.ts";
import { scratchDirectory } from "../../tools/scratch.ts";

export const owner = { cluster: "test", driver: "csi.berth.dev" };

export function newCall(): Call {
  return { signal: new AbortController().signal, effects: new Effects(), log: silentLog };
}

export function idOf(name: string): VolumeId {
  return { type: "directory", protocol: "bind", name: volumeNameOf(name), source: "test" };
}

export function requestFor(name: string, more: Partial<VolumeRequest> = {}): VolumeRequest {
  return {
    id: idOf(name),
    requestedName: name,
    capacity: { requiredBytes: 1000n, limitBytes: 0n },
    accessModes: ["MULTI_NODE_MULTI_WRITER"],
    mountFlags: [],
    parameters: { type: "directory" },
    directory: { mode: 0o777 },
    trashRetentionMs: 0,
    ...more,
  };
}

/** A share in a temporary directory, gone when disposed of. */
export class VolumeFixture implements Disposable {
  readonly path = scratchDirectory("volumes");
  readonly share: Share;
  readonly context: ShareContext;
  readonly volumes: ShareVolumes;

  /** @param seen the share as all see it */
  constructor(clock: Clock = systemClock, seen = (share: Share): Share => share) {
    this.share = seen(new DirectoryShare({ name: "test", path: this.path, kept: layoutPaths, clock }));
    this.context = { share: this.share, owner, clock, newNonce: randomNonce };
    this.volumes = new ShareVolumes(this.context);
  }

  /** The volumes of the same share, as another process sees them through another `Share`. */
  through(share: Share): ShareVolumes {
    return new ShareVolumes({ ...this.context, share });
  }

  async reap(stagingGraceMs = 0): Promise<ReapReport> {
    const reaper = new Reaper(this.context, { intervalMs: 1, stagingGraceMs }, silentLog);
    return await reaper.pass(new AbortController().signal);
  }

  /** Everything but the directories that every share has: `pvc-1`, `.berth/volumes/pvc-1`, … */
  left(): string[] {
    const below = (directory: string): string[] =>
      existsSync(this.at(directory))
        ? readdirSync(this.at(directory)).map((name) => join(directory, name))
        : [];
    const roots = below(".").filter((name) => name !== ".berth");
    return [
      ...roots,
      ...["volumes", "staging", "trash", "paths", "kept"].flatMap((name) => below(`.berth/${name}`)),
    ];
  }

  at(...names: string[]): string {
    return join(this.path, ...names);
  }

  [Symbol.dispose](): void {
    void this.share.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}
