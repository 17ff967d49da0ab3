import { CsiConnection } from "../src/lab/csi-client.ts";
import { createVolume, deleteVolume } from "./calls.ts";
import type { Place } from "./place.ts";
import { atLeast, type Figure } from "./table.ts";

const inFlight = 32;
const measureMs = 8_000;
const pairsPerSecondMin = 500;

/** Volumes created and deleted a second. */
export async function measureVolumes(place: Place): Promise<Figure[]> {
  const { driver, endpoint } = await place.serve("controller");
  const connection = new CsiConnection(endpoint);
  const startMs = performance.now();
  let pairs = 0;
  const worker = async (worker: number) => {
    for (let round = 0; performance.now() - startMs < measureMs; round++) {
      const { volumeId } = await createVolume(connection, `pvc-${worker}-${round}`);
      await deleteVolume(connection, volumeId);
      pairs += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, index) => worker(index)));
  const perSecond = (pairs / (performance.now() - startMs)) * 1000;
  connection.close();
  await driver.stop();
  return [
    atLeast(`CreateVolume + DeleteVolume, ${inFlight} in flight`, perSecond, "pairs/s", pairsPerSecondMin),
  ];
}
