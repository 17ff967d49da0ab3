import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Guest } from "../../src/lab/guest/guest.ts";
import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import type { FileSystem } from "../../src/lab/guest/storage-scripts.ts";
import type { Job, JobResult } from "./job.ts";
import type { Medium, Place } from "./place.ts";
import { format, median, type Row } from "./table.ts";

const timeoutMs = 1_800_000;
const delaysMs = [0, 0.5, 2.4] as const;
/** With the longer way. */
const timesFasterMin = 10;
const version = "4.1";

/** What the kernel does as a command and Berth as a job; each on a fresh mount or connection. */
interface Work {
  readonly name: string;
  readonly tree: "many" | "small";
  readonly command: string;
  readonly job: Job;
}

const works: readonly Work[] = [
  { name: "du", tree: "many", command: "du -s tree", job: { kind: "usage", name: "tree" } },
  { name: "rm -rf", tree: "many", command: "rm -rf tree", job: { kind: "remove", name: "tree" } },
  {
    name: "cp -a",
    tree: "small",
    command: "cp -a tree copy",
    job: { kind: "copy", name: "tree", copyName: "copy" },
  },
];

/** The same work on the same server (the kernel's, ext4) from the same guest. */
export async function* measureKernel(place: Place): AsyncGenerator<Row> {
  for (const medium of ["memory", "disk"] as const) {
    await using network = await GuestNetwork.open();
    const fileSystem: FileSystem = { name: "ext4", type: "ext4", sizeBytes: 4 * 2 ** 30 };
    const options = { fileSystems: [fileSystem], memoryMib: 1024 };
    const [storage, node] = await Promise.all([
      StorageGuest.boot(
        network,
        medium === "memory" ? options : { ...options, diskDirectory: await onDisk(place) },
      ),
      Guest.boot(network, { name: "node-1", memoryMib: 768 }),
    ]);
    await node.check("modprobe sch_netem");
    for (const delayMs of medium === "memory" ? delaysMs : [0]) {
      await node.check(
        `tc qdisc ${delayMs === 0 ? "del dev vec0 root 2>/dev/null || true" : `replace dev vec0 root netem delay ${delayMs * 1000}us limit 100000`}`,
      );
      for (const work of works) yield await compare(place, storage, node, medium, delayMs, work);
    }
  }
}

async function onDisk(place: Place): Promise<string> {
  const directory = join(place.directory, "guest-disks");
  await mkdir(directory, { recursive: true });
  return directory;
}

async function compare(
  place: Place,
  storage: StorageGuest,
  node: Guest,
  medium: Medium,
  delayMs: number,
  work: Work,
): Promise<Row> {
  // With a longer way the kernel takes minutes to change what is then told as a ratio anyway.
  const part = delayMs > 0 && work.job.kind !== "usage" ? 0.2 : 1;
  const files = Math.round(place.kernelFiles * (work.tree === "many" ? 1 : 0.1) * part);
  // What changes nothing is soon over, and can be done again: the median says more.
  const rounds = work.job.kind === "usage" ? 3 : 1;
  const theirs: number[] = [];
  const own: Awaited<ReturnType<typeof byBerth>>[] = [];
  for (let round = 0; round < rounds; round++) {
    await makeTree(storage, files, work.tree === "small" ? 4096 : 0);
    theirs.push(await byKernel(storage, node, work));
    await makeTree(storage, files, work.tree === "small" ? 4096 : 0);
    own.push(await byBerth(place, storage, node, work));
  }
  await storage.check("rm -rf /srv/ext4/*", { timeoutMs });
  const kernelMs = median(theirs);
  const [ours] = own.toSorted((one, other) => one.ms - other.ms).slice(rounds >> 1);
  if (ours === undefined) throw new TypeError("no round");
  const ratio = kernelMs / ours.ms;
  const on = medium === "disk" ? ", ext4 on a disk" : "";
  const far = delayMs === 0 ? "" : `, ${delayMs} ms more`;
  const goal = delayMs === 2.4 ? { wanted: `≥ ${timesFasterMin} ×`, holds: ratio >= timesFasterMin } : {};
  return {
    what: `${work.name} of ${files.toLocaleString("en")} files, NFS ${version}${on}${far}${rounds > 1 ? `, medians of ${rounds}` : ""}: times faster than the kernel`,
    measured: `${format(ratio)} × (${format(ours.ms / 1000)} s : ${format(kernelMs / 1000)} s); with the start of Node.js ${format(kernelMs / ours.wholeMs)} × (${format(ours.wholeMs / 1000)} s)`,
    ...goal,
    limit: `client ${Math.round((ours.cpuMs / ours.ms) * 100)} % of the guest's CPU, ${format(ours.residentMb)} MB resident`,
  };
}

/** Made on the server itself, in directories of 100 files; then nothing of it is cached. */
async function makeTree(storage: StorageGuest, files: number, bytes: number): Promise<void> {
  await storage.check(
    `rm -rf /srv/ext4/tree /srv/ext4/copy
python3 - <<'END'
import os
content = b"x" * ${bytes}
os.mkdir("/srv/ext4/tree")
for index in range(${files}):
    directory = "/srv/ext4/tree/directory-%d" % (index // 100)
    if index % 100 == 0: os.mkdir(directory)
    with open("%s/file-%d" % (directory, index), "wb", 0) as file: file.write(content)
END
sync; echo 2 > /proc/sys/vm/drop_caches`,
    { timeoutMs },
  );
}

async function byKernel(storage: StorageGuest, node: Guest, { command }: Work): Promise<number> {
  const mount = `mount -t nfs -o vers=${version} ${storage.address}:/srv/ext4 /mnt/nfs`;
  const output = await node.check(
    `mkdir -p /mnt/nfs; ${mount}; cd /mnt/nfs
start=$(date +%s%N); ${command} > /dev/null; sync; end=$(date +%s%N)
cd /; umount /mnt/nfs; echo $((end - start))`,
    { timeoutMs },
  );
  return Number(output) / 1e6;
}

/** The work from before the connection until after the last answer, and the whole process. */
async function byBerth(
  place: Place,
  storage: StorageGuest,
  node: Guest,
  { job }: Work,
): Promise<JobResult & { readonly wholeMs: number }> {
  const server = { host: storage.address, path: "/srv/ext4", versions: [version], timeoutMs: 60_000 };
  const command = [...place.command, JSON.stringify({ server, job })].map((word) => `'${word}'`).join(" ");
  const output = await node.check(`start=$(date +%s%N); ${command}; echo $(($(date +%s%N) - start))`, {
    timeoutMs,
  });
  const [result = "", wholeNs = ""] = output.trimEnd().split("\n");
  return { ...(JSON.parse(result) as JobResult), wholeMs: Number(wholeNs) / 1e6 };
}
