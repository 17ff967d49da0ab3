/**
 * A process that works on a share until it is killed: `node volume-worker.ts PATH WORKER SEED`. Volumes
 * named `churn-*` it creates and deletes; those named `kept-*` it creates, writes to and grows. Each thing
 * that was acknowledged is a line on standard output.
 */
import { writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/core/clock.ts";
import { BerthError } from "../../src/core/errors.ts";
import { silentLog } from "../../src/core/log.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import { DirectoryShare } from "../../src/share/directory-share.ts";
import { layoutPaths } from "../../src/volumes/layout.ts";
import { Reaper } from "../../src/volumes/reaper.ts";
import { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { seededRandom } from "./seeded-random.ts";
import { idOf, newCall, owner, requestFor } from "./volume-fixture.ts";

const [path = "", worker = "", seed = ""] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const pick = (count: number): number => Math.floor(random() * count);
const context = {
  share: new DirectoryShare({ name: "test", path, kept: layoutPaths }),
  owner,
  clock: systemClock,
  newNonce: randomNonce,
};
const volumes = new ShareVolumes(context);
const reaper = new Reaper(context, { intervalMs: 1, stagingGraceMs: 3_600_000 }, silentLog);

/** Written at once, so that what was acknowledged is told before a kill. */
const acknowledge = (line: string): void => void writeSync(1, `${line}\n`);

async function churn(): Promise<void> {
  const name = `churn-${pick(3)}`;
  if (random() < 0.5) await volumes.create(newCall(), requestFor(name));
  else await volumes.delete(newCall(), idOf(name));
}

async function keep(round: number): Promise<void> {
  const name = `kept-${pick(3)}`;
  await volumes.create(newCall(), requestFor(name, { capacity: { requiredBytes: 1n, limitBytes: 0n } }));
  const marker = `${worker}-${seed}-${round}`;
  writeFileSync(join(path, name, marker), marker);
  acknowledge(`marker ${name} ${marker}`);
  if (random() < 0.3) {
    const requiredBytes = BigInt(2000 + pick(100_000));
    const { sizeBytes } = await volumes.expand(newCall(), idOf(name), { requiredBytes, limitBytes: 0n });
    acknowledge(`size ${name} ${sizeBytes}`);
  }
}

for (let round = 0; ; round += 1) {
  try {
    const dice = random();
    if (dice < 0.6) await churn();
    else if (dice < 0.95) await keep(round);
    else await reaper.pass(new AbortController().signal);
  } catch (reason) {
    // The other process is at it: that is an answer. Anything else is a failure, told by the exit code.
    if (!(reason instanceof BerthError)) throw reason;
    acknowledge(`refused ${reason.code}`);
  }
}
