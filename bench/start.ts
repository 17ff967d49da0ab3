import type { Half, Place } from "./place.ts";
import { atMost, type Figure, median } from "./table.ts";

const rounds = 10;
const startMsMax = 300;

/** From the start of the process to the answer of a Probe that says ready. */
export async function measureStart(place: Place): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const half of ["node", "controller"] as const) {
    figures.push(
      atMost(
        `\`${half}\`: start to ready, median of ${rounds}`,
        await medianStart(place, half),
        "ms",
        startMsMax,
      ),
    );
  }
  return figures;
}

async function medianStart(place: Place, half: Half): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    const { driver } = await place.serve(half);
    times.push(performance.now() - start);
    await driver.stop();
  }
  return median(times);
}
