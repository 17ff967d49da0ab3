/** The process that is measured, with the flags of `berth nfs`: does one job and prints what it took. */
import { open } from "node:fs/promises";
import { keepSmall } from "../../src/cli/keep-small.ts";
import { writeAt } from "../../src/cli/nfs/get.ts";
import { connectNfs, type NfsClient, readBlocks } from "../../src/nfs/index.ts";
import { copyTree } from "../../src/nfs/trees/copy.ts";
import { removeTree } from "../../src/nfs/trees/remove.ts";
import { usageOfTree } from "../../src/nfs/trees/usage.ts";
import { walkTree } from "../../src/nfs/trees/walk.ts";
import { mostResidentMb } from "../resident.ts";
import type { Job, JobOrder, JobResult } from "./job.ts";

/** WRITEs of one file. */
const blocksInFlight = 8;

keepSmall();
const { server, job }: JobOrder = JSON.parse(process.argv[2] ?? "{}");
const cpu = process.cpuUsage();
const startMs = performance.now();
const client = await connectNfs(server);
const items = await work(client, job);
const ms = performance.now() - startMs;
const { user, system } = process.cpuUsage(cpu);
await client.close();
// Not by getrusage(2): what the process that started this one had resident counts there as well.
const residentMb = mostResidentMb(process.pid);
const result: JobResult = { items, ms, cpuMs: (user + system) / 1000, residentMb };
process.stdout.write(`${JSON.stringify(result)}\n`);

async function work(client: NfsClient, job: Job): Promise<number> {
  const root = client.root.handle;
  switch (job.kind) {
    case "getattr":
      return await pipelined(job.count, job.depth, () => client.getattr(root));
    case "mkdir": {
      const { handle } = await client.mkdir(root, `made-${process.pid}`, { mode: 0o755 });
      return await pipelined(job.count, job.depth, (index) => client.mkdir(handle, `directory-${index}`, {}));
    }
    case "walk": {
      const node = await client.lookup(root, job.name);
      let entries = 0;
      for (let time = 0; time < (job.times ?? 1); time++) {
        for await (const page of walkTree(client, node)) entries += page.entries.length;
      }
      return entries;
    }
    case "usage":
      return (await usageOfTree(client, await client.lookup(root, job.name))).entries;
    case "remove":
      return (await removeTree(client, root, job.name)).entries;
    case "copy": {
      const target = { client, directory: root, name: job.copyName };
      return (await copyTree(client, await client.lookup(root, job.name), target)).entries;
    }
    case "put":
      return await put(client, job.localPath, job.name);
    case "get":
      return await get(client, job.name, job.localPath);
  }
}

async function pipelined(
  count: number,
  depth: number,
  call: (index: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const caller = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: depth }, caller));
  return count;
}

async function get(client: NfsClient, name: string, localPath: string): Promise<number> {
  const { handle, attributes } = await client.lookup(client.root.handle, name);
  await using file = await open(localPath, "wx");
  await readBlocks(client, handle, attributes.sizeBytes, (data, offset) => {
    writeAt(file, data, offset);
  });
  return Number(attributes.sizeBytes);
}

async function put(client: NfsClient, localPath: string, name: string): Promise<number> {
  await using file = await open(localPath, "r");
  const { handle } = await client.create(client.root.handle, name, { mode: 0o644 });
  const { writeBytesMax } = client.features;
  let next = 0;
  let written = 0;
  const writer = async () => {
    const buffer = Buffer.allocUnsafeSlow(writeBytesMax);
    for (;;) {
      const offset = next;
      next += writeBytesMax;
      const { bytesRead } = await file.read(buffer, 0, writeBytesMax, offset);
      for (let done = 0; done < bytesRead; ) {
        const rest = buffer.subarray(done, bytesRead);
        done += (await client.write(handle, BigInt(offset + done), rest, "unstable")).writtenBytes;
      }
      written += bytesRead;
      if (bytesRead < writeBytesMax) return;
    }
  };
  await Promise.all(Array.from({ length: blocksInFlight }, writer));
  await client.commit(handle);
  return written;
}
