/** The Controller service over real gRPC and two real directories. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { systemClock } from "../../src/core/clock.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import { controller } from "../../src/csi/controller.ts";
import { Placements } from "../../src/csi/placements.ts";
import {
  Controller,
  type CreateVolumeRequestSchema,
  type VolumeCapabilitySchema,
} from "../../src/gen/csi/v1/csi_pb.ts";
import { DirectoryPlacement } from "../../src/placement/directory.ts";
import { DirectoryShare } from "../../src/share/directory-share.ts";
import { layoutPaths } from "../../src/volumes/layout.ts";
import { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { type EdgeClient, type RecordedLog, ready, startEdge, temporaryDirectory } from "./edge-harness.ts";

export const rpc = Controller.method;
export const gibibyte = 2n ** 30n;
export const mount: MessageInitShape<typeof VolumeCapabilitySchema> = {
  accessType: { case: "mount", value: {} },
  accessMode: { mode: 5 },
};
export const block: MessageInitShape<typeof VolumeCapabilitySchema> = {
  accessType: { case: "block", value: {} },
  accessMode: { mode: 5 },
};

export interface Fixture {
  readonly client: EdgeClient;
  readonly log: RecordedLog;
  /** The shares' directories, by name. */
  readonly paths: Record<"one" | "two", string>;
}

/** A controller with the shares `one` and `two`. */
export async function startController(t: TestContext): Promise<Fixture> {
  const root = temporaryDirectory(t);
  const paths = { one: join(root, "one"), two: join(root, "two") };
  const directories = Object.entries(paths).map(([name, path]) => {
    mkdirSync(path);
    const share = new DirectoryShare({ name, path, kept: layoutPaths });
    t.after(() => share.close());
    const owner = { cluster: "test", driver: "csi.berth.test" };
    const volumes = new ShareVolumes({ share, owner, clock: systemClock, newNonce: randomNonce });
    return { name, volumes, trashRetentionMs: 0 };
  });
  const placements = new Placements([new DirectoryPlacement(directories)]);
  const { client, log } = await startEdge(t, { identity: ready, controller: controller(placements) });
  return { client, log, paths };
}

type CreateInit = MessageInitShape<typeof CreateVolumeRequestSchema>;

/** A good request, changed in what a test is about. */
export function creation(name: string, more: Partial<CreateInit> = {}): CreateInit {
  const good: CreateInit = {
    name,
    volumeCapabilities: [mount],
    parameters: { type: "directory", share: "one" },
    capacityRange: { requiredBytes: gibibyte },
  };
  return Object.assign(good, more);
}

export async function created(client: EdgeClient, name: string, share = "one"): Promise<string> {
  const answer = await client.call(
    rpc.createVolume,
    creation(name, { parameters: { type: "directory", share } }),
  );
  assert.ok(answer.response?.volume, `CreateVolume: ${answer.code}`);
  return answer.response.volume.volumeId;
}

/** What a share holds besides Berth's own folder. */
export function volumesIn(path: string): string[] {
  return readdirSync(path).filter((name) => name !== ".berth");
}
