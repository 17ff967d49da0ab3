import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { promisify } from "node:util";
import { Node } from "../src/gen/csi/v1/csi_pb.ts";
import { CsiConnection } from "../src/lab/csi-client.ts";
import { callOnce, capability, createVolume, deleteVolume } from "./calls.ts";
import type { Place } from "./place.ts";
import { atMost, type Figure, figure, median, ratio } from "./table.ts";

const run = promisify(execFile);

const rounds = 300;
const pairMsMax = 15;

/**
 * A pod's mount and its end, one after the other, each call on a new connection as kubelet makes it. Beside
 * each the same by the bare commands: they cost what the machine costs at that moment.
 */
export async function measurePublish(place: Place): Promise<Figure[]> {
  const controller = await place.serve("controller");
  const node = await place.serve("node");
  const connection = new CsiConnection(controller.endpoint);
  const { volumeId, volumeContext } = await createVolume(connection, "pvc-publish");
  const stagingTargetPath = place.at("kubelet", "staging");
  mkdirSync(stagingTargetPath);
  const volume = { volumeId, volumeContext, volumeCapability: capability, stagingTargetPath };
  await callOnce(node.endpoint, Node.method.nodeStageVolume, volume);

  const times: number[] = [];
  const bareTimes: number[] = [];
  const bareTarget = place.at("bare");
  mkdirSync(bareTarget);
  for (let round = 0; round < rounds; round++) {
    const targetPath = place.at("kubelet", `target-${round}`);
    const startMs = performance.now();
    await callOnce(node.endpoint, Node.method.nodePublishVolume, { ...volume, targetPath });
    await callOnce(node.endpoint, Node.method.nodeUnpublishVolume, { volumeId, targetPath });
    const bareStartMs = performance.now();
    await run("mount", ["--bind", stagingTargetPath, bareTarget]);
    await run("umount", [bareTarget]);
    times.push(bareStartMs - startMs);
    bareTimes.push(performance.now() - bareStartMs);
  }

  await callOnce(node.endpoint, Node.method.nodeUnstageVolume, { volumeId, stagingTargetPath });
  await deleteVolume(connection, volumeId);
  connection.close();
  await Promise.all([controller.driver.stop(), node.driver.stop()]);
  return [
    atMost(`NodePublishVolume + NodeUnpublishVolume, p50 of ${rounds}`, median(times), "ms", pairMsMax),
    figure("bare `mount --bind` + `umount` in the same rounds, p50", median(bareTimes), "ms"),
    ratio("publish + unpublish beside the bare commands", median(times), median(bareTimes)),
  ];
}
