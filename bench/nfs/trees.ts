/**
 * Walk, usage, remove, GETATTR and MKDIR against NFS-Ganesha on loopback, as a Markdown table:
 *
 *     node bench/nfs/trees.ts [entries] [3|4.1]
 */
import { mkdir, writeFile } from "node:fs/promises";
import { connectNfs, type NfsVersion } from "../../src/nfs/index.ts";
import { removeTree } from "../../src/nfs/trees/remove.ts";
import { usageOfTree } from "../../src/nfs/trees/usage.ts";
import { walkTree } from "../../src/nfs/trees/walk.ts";
import { startGanesha } from "../../test/nfs/ganesha.ts";

const entries = Number(process.argv[2] ?? 20_000);
const versions: readonly NfsVersion[] = ["3", "4.1", "4.2"];
const version = versions.find((each) => each === process.argv[3]) ?? "3";
const callsInFlight = 64;

await using server = await startGanesha({ exports: [{ name: "data", inodes: entries * 2 + 10_000 }] });
const { address: host, nfsPort: port, mountPort } = server;
const client = await connectNfs({ host, port, mountPort, path: "/srv/data", versions: [version] });
const { handle } = client.root;

async function pipelined(count: number, call: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: callsInFlight }, worker));
}

async function measure(name: string, count: number, work: () => Promise<unknown>): Promise<void> {
  const startMs = performance.now();
  await work();
  const ms = performance.now() - startMs;
  const rssMib = Math.round(process.memoryUsage.rss() / 2 ** 20);
  process.stdout.write(
    `| ${name} | ${count} | ${Math.round(ms)} | ${Math.round((count * 1000) / ms)} | ${rssMib} |\n`,
  );
}

const flat = `${server.directory("data")}/flat`;
await mkdir(flat);
for (let index = 0; index < entries; index++) await writeFile(`${flat}/file-${index}`, "");
process.stdout.write(
  `NFS ${version}, Ganesha on loopback\n\n| work | items | ms | items/s | RSS MiB |\n|---|--:|--:|--:|--:|\n`,
);
await measure("GETATTR", entries, () => pipelined(entries, () => client.getattr(handle)));
const made = Math.min(entries, 5_000);
await measure("MKDIR", made, () => pipelined(made, (index) => client.mkdir(handle, `made-${index}`, {})));
await measure("walk", entries, async () => {
  for await (const page of walkTree(client, client.root)) page.entries.length;
});
await measure("usage", entries, () => usageOfTree(client, client.root));
await measure("remove", entries, () => removeTree(client, handle, "flat"));
await client.close();
process.stdout.write(`\npeak RSS ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB\n`);
