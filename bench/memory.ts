import { Controller, Node } from "../src/gen/csi/v1/csi_pb.ts";
import { callOnce } from "./calls.ts";
import type { Half, Place } from "./place.ts";
import { residentMb } from "./resident.ts";
import { atMost, type Figure } from "./table.ts";

const calls = 20_000;
const inFlight = 8;
const idleMbMax = 75;
const afterMbMax = 100;

/** What a driver keeps resident when it has just started, and after many calls as kubelet makes them. */
export async function measureMemory(place: Place): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const half of ["node", "controller"] as const) {
    const { driver, endpoint } = await place.serve(half);
    const idleMb = residentMb(driver.pid);
    const startMs = performance.now();
    await callOften(endpoint, half);
    const perSecond = (calls / (performance.now() - startMs)) * 1000;
    figures.push(
      atMost(`\`${half}\`: resident when idle`, idleMb, "MB", idleMbMax),
      atMost(
        `\`${half}\`: resident after ${calls} calls, each on a new connection (${perSecond.toFixed(0)}/s)`,
        residentMb(driver.pid),
        "MB",
        afterMbMax,
      ),
    );
    await driver.stop();
  }
  return figures;
}

async function callOften(endpoint: string, half: Half): Promise<void> {
  let left = calls;
  const worker = async () => {
    while (left-- > 0) await callHalf(endpoint, half);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

async function callHalf(endpoint: string, half: Half): Promise<void> {
  if (half === "node") await callOnce(endpoint, Node.method.nodeGetCapabilities, {});
  else await callOnce(endpoint, Controller.method.controllerGetCapabilities, {});
}
