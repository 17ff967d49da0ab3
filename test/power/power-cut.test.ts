/** A machine that loses power, again and again: what was answered of the volumes on its disks is so afterwards. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, watch } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { Guest } from "../../src/lab/guest/guest.ts";
import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { commandLine } from "../../src/lab/machine/machine.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { type Line, Told } from "./told.ts";

/** Gives the moments of the cuts; change it to see other ones. */
const seed = 3;
const cuts = 4;
/** Until the plug is pulled, at most. */
const answersMax = 60;
/** XFS takes no less. */
const disks = [
  { path: "/run/ext4.disk", bytes: 64 * 2 ** 20, make: ["mkfs.ext4", "-q"] },
  { path: "/run/xfs.disk", bytes: 300 * 2 ** 20, make: ["mkfs.xfs", "-q", "-K"] },
];
/** Of the room; hostfs lets the guest see it. */
const shared = "/run/told";
const workerFile = "worker.mjs";

type Word = Line | readonly ["wrong", string, string] | readonly ["checked"];

/** The lines that are there whole; a write of the guest's may be under way. */
function linesOf(file: string): Word[] {
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** How many answers came after the check. */
function answersIn(lines: readonly Word[]): number {
  const checked = lines.findIndex(([kind]) => kind === "checked");
  return checked === -1 ? -1 : lines.slice(checked).filter(([kind]) => kind === "done").length;
}

/** The worker in one file, beside what it tells: it starts in a third of the time that the sources take. */
async function bundleWorker(directory: string): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, "power-worker.ts")],
    outfile: join(directory, workerFile),
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "warning",
  });
}

/** One life of the machine, until so many answers. @returns all that it told */
async function life(network: GuestNetwork, round: number, told: Told, answers: number): Promise<Word[]> {
  const { room } = network;
  const [known, file] = [`known-${round}`, `told-${round}`];
  await writeFile(join(room.path(shared), known), JSON.stringify(told.all));
  await writeFile(join(room.path(shared), file), "");
  await using guest = await Guest.boot(network, {
    name: `doomed-${round}`,
    disks: disks.map(({ path }) => path),
  });
  await guest.check(`mount -t tmpfs tmpfs /srv; mkdir /srv/ext4 /srv/xfs ${shared}
    mount -t ext4 /dev/ubda /srv/ext4; mount -t xfs /dev/ubdb /srv/xfs
    mount -t hostfs -o sync,${shared} told ${shared}`);
  const path = join(room.path(shared), file);
  const enough = new AbortController();
  const reached = new Promise<void>((resolve) => {
    watch(path, { signal: enough.signal }, () => {
      if (answersIn(linesOf(path)) >= answers) resolve();
    });
  });
  const command = [
    process.execPath,
    join(shared, workerFile),
    join(shared, known),
    join(shared, file),
    `${round}`,
  ];
  const job = await guest.start(`exec ${commandLine(command)}`);
  const ended = job.exited.then(async () => assert.fail(`the worker ended: ${await job.output()}`));
  try {
    await Promise.race([reached, ended]);
  } finally {
    enough.abort(); // who watches keeps the process
  }
  ended.catch(() => {}); // with its machine
  await guest.kill();
  return linesOf(path);
}

test(`what was answered before a power cut is so after it, on ext4 and on XFS (seed ${seed})`, async () => {
  await using network = await GuestNetwork.open();
  for (const { path, bytes, make } of disks) {
    await network.room.check(["truncate", `--size=${bytes}`, path]);
    await network.room.check([...make, path]);
  }
  const directory = network.room.path(shared);
  await mkdir(directory);
  await bundleWorker(directory);
  const random = seededRandom(seed);
  const told = new Told();
  for (let round = 0; round <= cuts; round += 1) {
    const answers = round === cuts ? 0 : 1 + Math.floor(random() * answersMax);
    const lines = await life(network, round, told, answers);
    const wrong = lines.filter(([kind]) => kind === "wrong");
    assert.deepEqual(wrong, [], `after ${round} power cuts`);
    for (const line of lines) if (line[0] === "begin" || line[0] === "done") told.hear(line);
  }
});
