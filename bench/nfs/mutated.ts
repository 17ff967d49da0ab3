import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Place } from "./place.ts";
import { atMost, type Row } from "./table.ts";

const run = promisify(execFile);
const growthMibMax = 16;
const slowestMsMax = 1000;

/** A million replies of real servers, mutated, through the decoders, in a process of its own: a crash fails. */
export async function* measureMutated({ scale }: Place): AsyncGenerator<Row> {
  const script = join(import.meta.dirname, "mutations.ts");
  const { stdout } = await run(process.execPath, ["--expose-gc", script, String(1_000_000 * scale)]);
  const found: { count: number; perSecond: number; slowestMs: number; growthMib: number } =
    JSON.parse(stdout);
  const what = `${found.count.toLocaleString("en")} mutated replies (${Math.round(found.perSecond).toLocaleString("en")}/s)`;
  yield atMost(`${what}: growth`, Math.max(0, found.growthMib), "MiB", growthMibMax);
  yield atMost(`${what}: the slowest`, found.slowestMs, "ms", slowestMsMax);
}
