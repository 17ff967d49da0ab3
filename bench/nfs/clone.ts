import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import type { JobResult } from "./job.ts";
import { measure } from "./measured.ts";
import type { Place } from "./place.ts";
import { atMost, format, median, type Row } from "./table.ts";

const msMax = 2000;
const rounds = 5;

/** CLONE of a tree with 1,000 files and 1 GiB, on the kernel's server and XFS with reflink. */
export async function* measureClone(place: Place): AsyncGenerator<Row> {
  await using network = await GuestNetwork.open();
  const xfs = { name: "xfs", type: "xfs", sizeBytes: 3 * 2 ** 30 } as const;
  await using storage = await StorageGuest.boot(network, { fileSystems: [xfs], memoryMib: 1024 });
  const files = 1000 * place.scale;
  await storage.check(
    `mkdir /srv/xfs/source; cd /srv/xfs/source
dd if=/dev/urandom of=/tmp/mib bs=1M count=1 2>/dev/null
for i in $(seq ${files}); do cp /tmp/mib file-$i; done; sync`,
    { timeoutMs: 600_000 },
  );
  const server = { host: storage.address, path: "/srv/xfs", versions: ["4.2"], timeoutMs: 60_000 } as const;
  const took: JobResult[] = [];
  for (let round = 0; round < rounds; round++) {
    took.push(
      await measure(place.command, { server, job: { kind: "copy", name: "source", copyName: "clone" } }),
    );
    if (round === 0) await storage.check("diff -r /srv/xfs/source /srv/xfs/clone", { timeoutMs: 600_000 });
    await storage.check("rm -r /srv/xfs/clone; sync", { timeoutMs: 600_000 });
  }
  const ms = took.map((each) => each.ms);
  const client = Math.round((median(took.map(({ cpuMs }) => cpuMs)) / median(ms)) * 100);
  yield atMost(
    `CLONE of a tree of ${files} files of 1 MiB, XFS, NFS 4.2, median of ${rounds} (${format(Math.min(...ms) / 1000)} to ${format(Math.max(...ms) / 1000)} s)`,
    median(ms) / 1000,
    "s",
    (msMax / 1000) * place.scale,
    `the server, a guest with one CPU (client ${client} % of a CPU)`,
  );
  yield atMost(
    "resident at most while cloning",
    Math.max(...took.map(({ residentMb }) => residentMb)),
    "MB",
    100,
  );
}
