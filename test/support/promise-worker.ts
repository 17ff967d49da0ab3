/**
 * A process that creates, grows, deletes and reaps on a share with a limit until it is killed:
 * `node promise-worker.ts PATH SEED`. Each call that ended is a line on standard output.
 */
import { writeSync } from "node:fs";
import { BerthError } from "../../src/core/errors.ts";
import { silentLog } from "../../src/core/log.ts";
import { DirectoryShare } from "../../src/share/directory-share.ts";
import { layoutPaths } from "../../src/volumes/layout.ts";
import { Reaper } from "../../src/volumes/reaper.ts";
import { seededRandom } from "./seeded-random.ts";
import { sharer } from "./sharer.ts";
import { idOf, newCall, requestFor } from "./volume-fixture.ts";

const [path = "", seed = ""] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const pick = (count: number): number => Math.floor(random() * count);
const { context, volumes } = sharer(new DirectoryShare({ name: "test", path, kept: layoutPaths }));
const reaper = new Reaper(context, { intervalMs: 1, stagingGraceMs: 3_600_000 }, silentLog);

async function step(): Promise<string> {
  const name = `pvc-${pick(8)}`;
  const requiredBytes = BigInt(1 + pick(900));
  const capacity = { requiredBytes, limitBytes: 0n };
  const dice = random();
  if (dice < 0.5) {
    const { sizeBytes } = await volumes.create(newCall(), requestFor(name, { capacity }));
    return `created ${name} ${sizeBytes}`;
  }
  if (dice < 0.65) {
    const { sizeBytes } = await volumes.expand(newCall(), idOf(name), capacity);
    return `grown ${name} ${sizeBytes}`;
  }
  if (dice < 0.9) {
    await volumes.delete(newCall(), idOf(name));
    return `deleted ${name}`;
  }
  await reaper.pass(new AbortController().signal);
  return "reaped";
}

for (;;) {
  const line = await step().catch((reason: unknown) => {
    if (!(reason instanceof BerthError)) throw reason; // a failure, told by the exit code
    return `refused ${reason.code}`;
  });
  writeSync(1, `${line}\n`);
}
