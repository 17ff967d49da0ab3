/** How far a copy reads ahead of what it copies: each entry that is read before its turn grows old in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { copyTree } from "./copy.ts";
import { treeLimits } from "./limits.ts";
import { MemoryClient } from "./testing/memory-client.ts";

const files = 1500;
const pageEntries = 100;
const { stepsInFlightMax, entriesInHandMax } = treeLimits.copying;

for (const [shape, filesEach, waitingLimit] of [
  ["one directory", files, entriesInHandMax + pageEntries],
  ["directories of ten files", 10, stepsInFlightMax * 10],
] as const) {
  for (const ways of ["read-write", "kept"] as const) {
    test(`a copy of ${shape} reads no further ahead than its bounds where all files come by ${ways}`, async () => {
      const memory = new MemoryClient();
      memory.pageEntriesMax = pageEntries;
      Object.assign(memory.features, { callsInFlightMax: 64 }); // as many as a server grants
      for (let index = 0; index < files; index++) {
        memory.put(`tree/directory-${Math.floor(index / filesEach)}/file-${index}`, "file");
      }
      const client = memory.asClient();
      const source = await client.lookup(memory.root.handle, "tree");
      const target = { client, directory: memory.root.handle, name: "copy" };
      if (ways === "kept") await copyTree(client, source, target);
      const counts = countLookups(memory);
      const report = await copyTree(client, source, target, { resume: true });
      assert.equal(report.ways[ways], files);
      const { waitingMax, atOnceMax } = counts;
      assert.ok(waitingMax <= waitingLimit, `${waitingMax} are read`);
      assert.ok(atOnceMax <= treeLimits.filesInFlightMax, `${atOnceMax} are copied at once`);
    });
  }
}

/** From now on a look for a file, the first step of its copy, takes a turn of the event loop. */
function countLookups(memory: MemoryClient) {
  const counts = { waiting: 0, waitingMax: 0, atOnce: 0, atOnceMax: 0 };
  const readdir = memory.readdir.bind(memory);
  memory.readdir = async function* (...call) {
    for await (const page of readdir(...call)) {
      counts.waiting += page.entries.filter(({ attributes }) => attributes?.type === "file").length;
      counts.waitingMax = Math.max(counts.waitingMax, counts.waiting);
      yield page;
    }
  };
  const lookup = memory.lookup.bind(memory);
  memory.lookup = async (directory, name, options) => {
    if (!String(name).startsWith("file-")) return await lookup(directory, name, options);
    counts.atOnce++;
    counts.atOnceMax = Math.max(counts.atOnceMax, counts.atOnce);
    await setImmediate();
    counts.atOnce--;
    counts.waiting--;
    return await lookup(directory, name, options);
  };
  return counts;
}
