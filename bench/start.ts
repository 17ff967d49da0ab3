import { spawn } from "node:child_process";
import { once } from "node:events";
import { flags } from "../tools/bundle.ts";
import type { Half, Place } from "./place.ts";
import { atMost, type Figure, figure, median, ratio } from "./table.ts";

const rounds = 10;
const startMsMax = 300;

/** From the start of the process to the answer of a Probe that says ready, and beside it a Node.js that does nothing. */
export async function measureStart(place: Place): Promise<Figure[]> {
  const times: Record<Half | "bare", number[]> = { node: [], controller: [], bare: [] };
  for (let round = 0; round < rounds; round++) {
    times.node.push(await timeStart(place, "node"));
    times.controller.push(await timeStart(place, "controller"));
    times.bare.push(await timeBare());
  }
  const bareMs = median(times.bare);
  return [
    ...(["node", "controller"] as const).flatMap((half) => {
      const startMs = median(times[half]);
      return [
        atMost(`\`${half}\`: start to ready, median of ${rounds}`, startMs, "ms", startMsMax),
        ratio(`\`${half}\`: start beside that of an empty Node.js`, startMs, bareMs),
      ];
    }),
    figure("an empty Node.js with the same flags, start to end, in the same rounds", bareMs, "ms"),
  ];
}

async function timeStart(place: Place, half: Half): Promise<number> {
  const startMs = performance.now();
  const { driver } = await place.serve(half);
  const endMs = performance.now();
  await driver.stop();
  return endMs - startMs;
}

async function timeBare(): Promise<number> {
  const startMs = performance.now();
  await once(spawn(process.execPath, [...flags, "-e", "0"], { stdio: "ignore" }), "exit");
  return performance.now() - startMs;
}
