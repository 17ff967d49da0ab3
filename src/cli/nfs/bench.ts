import { BerthError } from "../../core/errors.ts";
import { randomNonce } from "../../core/nonce.ts";
import {
  accessRights,
  type FileHandle,
  type FileNode,
  type NfsClient,
  readAhead,
  writeBlocks,
} from "../../nfs/index.ts";
import { removeTree, walkTree } from "../../nfs/trees/index.ts";
import { type Measured, measureCalls, measureItems, measureTransfer } from "./bench-measure.ts";
import type { PrintOptions } from "./inspect.ts";
import { nodeOf, openTarget } from "./opened.ts";
import { printJson, printLine, printNote } from "./output.ts";
import { Interrupted, outlasting, type Work } from "./run.ts";
import { parseTarget } from "./target.ts";
import { whyNot } from "./why-not.ts";

export interface BenchOptions extends PrintOptions {
  /** For each step that counts calls. */
  readonly seconds: number;
  /** Of the file that is written and read. */
  readonly sizeMib: number;
}

const callsInFlight = 64;
/** What one step may leave to be removed. */
const madeMax = 50_000;
const smallFile = Buffer.alloc(4096, "berth");
const mib = 1024 * 1024;

/**
 * How fast a directory of an export is, in a directory of its own that is removed in the end, also after Ctrl-C or a
 * failure. It writes: where it may not, it says so and does nothing.
 */
export async function bench(target: string, options: BenchOptions, work: Work): Promise<void> {
  const { signal } = work;
  await using opened = await openTarget(target, work);
  const { client } = opened;
  const directory = await nodeOf(opened, signal);
  await refuseReadOnly(client, target, directory, signal);
  const name = `.berth-bench-${randomNonce()}`;
  const made = await client.mkdir(
    directory.handle,
    name,
    { mode: 0o700 },
    { signal: outlasting(signal), path: name },
  );
  if (options.json !== true) printHeader(client);
  try {
    for await (const measured of steps(client, made, options, signal)) print(measured, options);
  } finally {
    await removeAll(client, directory.handle, name, options, signal);
  }
}

async function refuseReadOnly(
  client: NfsClient,
  target: string,
  { handle, attributes }: FileNode,
  signal: AbortSignal,
): Promise<void> {
  if (attributes.type !== "directory") {
    throw new BerthError("invalid-argument", `${target} is no directory: bench needs one to write in`);
  }
  const wanted = accessRights.modify | accessRights.extend | accessRights.lookup;
  if (((await client.access(handle, wanted, { signal })) & wanted) === wanted) return;
  throw new BerthError(
    "storage-access",
    `${target}: bench writes, and may not here: ${whyNot(attributes, parseTarget(target).credentials)}; or name another directory`,
  );
}

async function* steps(
  client: NfsClient,
  { handle }: FileNode,
  { seconds, sizeMib }: BenchOptions,
  signal: AbortSignal,
): AsyncGenerator<Measured> {
  const limits = { seconds, signal, callsMax: Number.POSITIVE_INFINITY };
  const getattr = () => client.getattr(handle, { signal });
  yield await measureCalls("getattr, 1 in flight", { ...limits, inFlight: 1 }, getattr);
  yield await measureCalls(
    `getattr, ${callsInFlight} in flight`,
    { ...limits, inFlight: callsInFlight },
    getattr,
  );
  const making = { ...limits, inFlight: callsInFlight, callsMax: madeMax };
  const directories = (await client.mkdir(handle, "directories", {}, { signal })).handle;
  yield await measureCalls("mkdir", making, (index) => client.mkdir(directories, `${index}`, {}, { signal }));
  const files = (await client.mkdir(handle, "files", {}, { signal })).handle;
  const create = (index: number) => client.create(files, `${index}`, {}, smallFile, { signal });
  yield await measureCalls("create, 4 KiB, durable", making, create);
  yield await measureItems("walk with attributes", "entries", () => walkAll(client, handle, signal));
  const { handle: file } = await client.create(handle, "file", {}, undefined, { signal });
  yield await measureTransfer("write and commit", () => writeFile(client, file, sizeMib, signal));
  yield await measureTransfer("read", () => readFile(client, file, sizeMib, signal));
  yield await measureItems("remove", "entries", async () => {
    const removals = ["directories", "files"].map((name) => removeTree(client, handle, name, { signal }));
    return (await Promise.all(removals)).reduce((sum, { entries }) => sum + entries, 0);
  });
}

async function walkAll(client: NfsClient, directory: FileHandle, signal: AbortSignal): Promise<number> {
  let count = 0;
  const root = { handle: directory, attributes: await client.getattr(directory, { signal }) };
  for await (const { entries } of walkTree(client, root, { signal })) count += entries.length;
  return count;
}

async function writeFile(client: NfsClient, file: FileHandle, sizeMib: number, signal: AbortSignal) {
  const block = Buffer.alloc(client.features.writeBytesMax, "berth");
  async function* blocks(): AsyncGenerator<Buffer> {
    for (let left = sizeMib * mib; left > 0; left -= block.length)
      yield block.subarray(0, Math.min(left, block.length));
  }
  return Number(await writeBlocks(client, file, blocks(), { signal }));
}

async function readFile(client: NfsClient, file: FileHandle, sizeMib: number, signal: AbortSignal) {
  let bytes = 0;
  for await (const data of readAhead(client, file, BigInt(sizeMib * mib), { signal })) bytes += data.length;
  return bytes;
}

/** With no signal: what was made is removed after Ctrl-C too. */
async function removeAll(
  client: NfsClient,
  directory: FileHandle,
  name: string,
  { json }: PrintOptions,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted && json !== true) printNote("removing what the benchmark made");
  try {
    await removeTree(client, directory, name);
  } catch (error) {
    const { code, message } = BerthError.from(error);
    throw new BerthError(code, `${name} could not be removed: ${message}`, { cause: error });
  }
  if (signal.aborted) throw new Interrupted("nothing of the benchmark is left");
}

function printHeader({ name, features }: NfsClient): void {
  printLine(`${name} by NFS ${features.version}`);
  printLine(`${"".padEnd(26)} ${"a second".padStart(14)} ${"p50 ms".padStart(9)} ${"p99 ms".padStart(9)}`);
}

function print(measured: Measured, { json }: PrintOptions): void {
  if (json === true) printJson(measured);
  else printLine(measuredText(measured));
}

function measuredText({ step, perSecond, unit, p50Ms, p99Ms }: Measured): string {
  const rate = unit === "MiB" ? `${perSecond.toFixed(0)} MiB` : perSecond.toFixed(0);
  const ms = (value: number | undefined) => (value === undefined ? "" : value.toFixed(2)).padStart(9);
  return `${step.padEnd(26)} ${rate.padStart(14)} ${ms(p50Ms)} ${ms(p99Ms)}`.trimEnd();
}
