import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { check } from "../../src/lab/guest/process.ts";
import type { Ganesha } from "../../test/nfs/ganesha.ts";
import { scratchDirectory } from "../../tools/scratch.ts";
import type { JobOrder, JobResult } from "./job.ts";
import { ganeshaOn, type Medium, type Place, serverOf } from "./place.ts";
import { atMost, format, median, type Row } from "./table.ts";

const rounds = 9;
const residentMbMax = 100;
const run = promisify(execFile);

interface Took {
  readonly ms: number;
  readonly residentMb: number;
}

/** 1 GiB written and read by Berth and by libnfs's `nfs-cp`: whole processes with their start, in turn. */
export async function* measureTransfer(place: Place): AsyncGenerator<Row> {
  const mib = Math.round(1024 * place.scale);
  const local = scratchDirectory("bench", "/dev/shm");
  try {
    await check(["dd", "if=/dev/urandom", `of=${local}/source`, "bs=1M", `count=${mib}`]);
    for (const medium of ["memory", "disk"] as const) {
      await using ganesha = await ganeshaOn(medium, place);
      yield* await measureOn(place, ganesha, medium, { local, mib });
    }
  } finally {
    await rm(local, { recursive: true });
  }
}

interface Source {
  /** A directory in memory: the file `source`, and room for copies. */
  readonly local: string;
  readonly mib: number;
}

async function measureOn(
  place: Place,
  ganesha: Ganesha,
  medium: Medium,
  { local, mib }: Source,
): Promise<Row[]> {
  const { address, nfsPort, mountPort } = ganesha;
  const server = serverOf(ganesha, "3");
  const berth = async (kind: "put" | "get", name: string, localPath: string) =>
    await time([
      ...place.command,
      JSON.stringify({ server, job: { kind, name, localPath } } satisfies JobOrder),
    ]);
  const forLibnfs = (name: string) =>
    `nfs://${address}/srv/data/${name}?version=3&nfsport=${nfsPort}&mountport=${mountPort}`;
  const took = { put: [] as Took[], get: [] as Took[], cpTo: [] as Took[], cpFrom: [] as Took[] };
  for (let round = 0; round < rounds; round++) {
    const [ours, theirs] = [`ours-${round}`, `theirs-${round}`];
    const writes = [
      async () => took.put.push(await berth("put", ours, `${local}/source`)),
      async () => took.cpTo.push(await time(["nfs-cp", `${local}/source`, forLibnfs(theirs)])),
    ];
    const reads = [
      async () => took.get.push(await berth("get", ours, `${local}/${ours}`)),
      async () => took.cpFrom.push(await time(["nfs-cp", forLibnfs(theirs), `${local}/${theirs}`])),
    ];
    // Each goes first in turn; what was just written the server has in memory, for both.
    for (const step of [writes, reads].flatMap((two) => (round % 2 === 0 ? two : two.toReversed()))) {
      await touchMemory(local, mib);
      await step();
    }
    await check(["cmp", `${local}/source`, `${local}/${ours}`]);
    for (const name of [ours, theirs]) {
      await rm(`${local}/${name}`);
      // Through the server: what is removed behind its back it keeps open, and its space is not free.
      await time([
        ...place.command,
        JSON.stringify({ server, job: { kind: "remove", name } } satisfies JobOrder),
      ]);
    }
  }
  const on = medium === "disk" ? ", ext4 on a disk" : "";
  return [
    compare(`writing 1 GiB, NFS 3${on}`, took.put, took.cpTo),
    compare(`reading 1 GiB, NFS 3${on}`, took.get, took.cpFrom),
    resident(`resident at most while writing${on}`, took.put),
    resident(`resident at most while reading${on}`, took.get),
  ];
}

/**
 * So that each finds as much free memory as it writes, and none waits for the machine's host: what a virtual machine
 * has not used lately, its host takes back, and gives again page by page at a quarter of the speed.
 */
async function touchMemory(local: string, mib: number): Promise<void> {
  const path = join(local, "touched");
  await check(["dd", "if=/dev/zero", `of=${path}`, "bs=1M", `count=${mib}`]);
  await rm(path);
}

function compare(what: string, ours: readonly Took[], theirs: readonly Took[]): Row {
  const [own = 0, other = 0] = [ours, theirs].map((each) => median(each.map(({ ms }) => ms)));
  return {
    what: `${what}, medians of ${rounds}: time against nfs-cp`,
    measured: `${format(own / other)} × (${format(own / 1000)} s : ${format(other / 1000)} s)`,
    wanted: "≤ 1 ×",
    holds: own <= other,
  };
}

function resident(what: string, took: readonly Took[]): Row {
  return atMost(what, Math.max(...took.map(({ residentMb }) => residentMb)), "MB", residentMbMax);
}

/** A whole process; the measured one tells what was resident. */
async function time(command: readonly string[]): Promise<Took> {
  const [program = "", ...words] = command;
  const startMs = performance.now();
  const { stdout } = await run(program, words);
  const ms = performance.now() - startMs;
  const result: Partial<JobResult> = stdout.startsWith("{") ? JSON.parse(stdout) : {};
  return { ms, residentMb: result.residentMb ?? 0 };
}
