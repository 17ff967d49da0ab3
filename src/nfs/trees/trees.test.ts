import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type BerthError, hasCode } from "../../core/errors.ts";
import type { FileType } from "../file.ts";
import { copyTree } from "./copy.ts";
import { removeTree } from "./remove.ts";
import { failure, MemoryClient } from "./testing/memory-client.ts";
import type { TreeProgress } from "./tree-options.ts";
import { usageOfTree } from "./usage.ts";
import { walkTree } from "./walk.ts";

/** Some hundred paths, a third of them directories that may hold others. */
const trees = fc.uniqueArray(
  fc.record({
    path: fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { minLength: 1, maxLength: 6 }),
    type: fc.constantFrom<FileType>("file", "directory", "symlink"),
  }),
  { selector: ({ path }) => path.join("/"), maxLength: 60 },
);

function grow(paths: readonly { path: string[]; type: FileType }[]): MemoryClient {
  const memory = new MemoryClient();
  memory.pageEntriesMax = 2;
  for (const { path, type } of paths.toSorted((a, b) => a.path.length - b.path.length)) {
    const isBelowFile = paths.some(
      (other) => other.type !== "directory" && path.join("/").startsWith(`${other.path.join("/")}/`),
    );
    const content = Buffer.from(type === "directory" ? "" : path.join(""));
    if (!isBelowFile) memory.put(["tree", ...path].join("/"), type, { content });
  }
  memory.put("tree/last", "file");
  return memory;
}

async function pathsOf(memory: MemoryClient): Promise<string[]> {
  const found: string[] = [];
  for await (const { path, entries } of walkTree(memory.asClient(), memory.root)) {
    for (const { name } of entries) found.push(`${path === "" ? "" : `/${path}`}/${String(name)}`);
  }
  return found;
}

test("a walk tells every entry of any tree exactly once", async () => {
  await fc.assert(
    fc.asyncProperty(trees, async (paths) => {
      const memory = grow(paths);
      const expected = [...memory.dump().keys()].filter((path) => path !== "");
      assert.deepEqual((await pathsOf(memory)).toSorted(), expected.toSorted());
    }),
    { numRuns: 60 },
  );
});

test("removing leaves nothing of any tree, and nothing else is touched", async () => {
  await fc.assert(
    fc.asyncProperty(trees, async (paths) => {
      const memory = grow(paths);
      memory.put("beside", "file");
      await removeTree(memory.asClient(), memory.root.handle, "tree");
      assert.deepEqual([...memory.dump().keys()], ["", "/beside"]);
    }),
    { numRuns: 60 },
  );
});

test("a copy equals its source in any tree", async () => {
  await fc.assert(
    fc.asyncProperty(trees, async (paths) => {
      const memory = grow(paths);
      const client = memory.asClient();
      const source = await client.lookup(memory.root.handle, "tree");
      await copyTree(client, source, { client, directory: memory.root.handle, name: "copy" });
      const copy = await client.lookup(memory.root.handle, "copy");
      assert.deepEqual(sorted(memory.dump(copy)), sorted(memory.dump(source)));
    }),
    { numRuns: 60 },
  );
});

test("a copy that was cut anywhere is completed by another run", async () => {
  await fc.assert(
    fc.asyncProperty(trees, fc.integer({ min: 0, max: 200 }), async (paths, operations) => {
      const memory = grow(paths);
      const client = memory.asClient();
      const source = await client.lookup(memory.root.handle, "tree");
      const target = { client, directory: memory.root.handle, name: "copy" };
      let left = operations;
      memory.onOperation = () => {
        if (left-- <= 0) throw failure("storage-unavailable", "");
      };
      await copyTree(client, source, target).catch(() => {});
      memory.onOperation = () => {};
      await copyTree(client, source, target, { resume: true });
      const copy = await client.lookup(memory.root.handle, "copy");
      assert.deepEqual(sorted(memory.dump(copy)), sorted(memory.dump(source)));
    }),
    { numRuns: 60 },
  );
});

test("what an earlier run's last request makes meanwhile does not stop the next", async () => {
  const memory = new MemoryClient();
  const client = memory.asClient();
  memory.put("tree/file", "file", { content: Buffer.from("whole") });
  memory.put("copy", "directory");
  const source = await client.lookup(memory.root.handle, "tree");
  let late = true;
  memory.onOperation = (operation, _, name) => {
    if (operation !== "clone" || name !== "file" || !late) return;
    late = false;
    memory.put("copy/file", "file", { content: Buffer.from("") });
  };
  const target = { client, directory: memory.root.handle, name: "copy" };
  await copyTree(client, source, target, { resume: true });
  const copy = await client.lookup(memory.root.handle, "copy");
  assert.deepEqual(sorted(memory.dump(copy)), sorted(memory.dump(source)));
});

test("hard links stay links in a copy, and count once in the usage", async () => {
  const memory = new MemoryClient();
  const client = memory.asClient();
  const file = memory.put("tree/first", "file", { content: Buffer.from("12345") });
  const other = memory.put("tree/below", "directory");
  await client.link(file.handle, other.handle, "second");
  const source = await client.lookup(memory.root.handle, "tree");
  await copyTree(client, source, { client, directory: memory.root.handle, name: "copy" });
  const copy = await client.lookup(memory.root.handle, "copy");
  assert.deepEqual(sorted(memory.dump(copy)), sorted(memory.dump(source)));
  const usage = await usageOfTree(client, copy);
  assert.deepEqual([usage.sizeBytes, usage.entries, usage.directories], [5n, 4, 2]);
});

/** Files of 6 bytes with three names each, of which a pass over the tree meets all first names before any other. */
async function growLinked(files: number) {
  const memory = new MemoryClient();
  const client = memory.asClient();
  const others = ["a", "b"].map((name) => memory.put(`tree/below/${name}`, "directory"));
  for (let index = 0; index < files; index++) {
    const file = memory.put(`tree/${index}`, "file", { content: Buffer.from("123456") });
    for (const other of others) await client.link(file.handle, other.handle, `${index}`);
  }
  return { memory, client, source: await client.lookup(memory.root.handle, "tree") };
}

test("beyond the hard links that are remembered, usage counts each name's share, and says how many", async () => {
  const { client, source } = await growLinked(10);
  const exact = await usageOfTree(client, source);
  assert.deepEqual([exact.sizeBytes, exact.inodes, exact.sharedNames], [60n, 14, 0]);
  const bounded = await usageOfTree(client, source, {}, 4);
  // Of six files no name is remembered: each of their three counts a third of the bytes.
  assert.equal(bounded.sizeBytes, 60n);
  assert.equal(bounded.sharedNames, 18);
  assert.equal(bounded.entries, exact.entries);
  const none = await usageOfTree(client, source, {}, 0);
  assert.deepEqual([none.sizeBytes, none.sharedNames], [60n, 30]);
});

test("beyond the hard links that are remembered, a copy's names become files of their own, and are counted", async () => {
  const { memory, client, source } = await growLinked(10);
  const place = (name: string) => ({ client, directory: memory.root.handle, name });
  assert.equal((await copyTree(client, source, place("whole"))).unshared, 0);
  const { unshared, ways } = await copyTree(client, source, place("apart"), {}, 0);
  assert.equal(unshared, 30);
  assert.equal(ways.clone + ways.copy + ways["read-write"], 30);
  const copy = await usageOfTree(client, await client.lookup(memory.root.handle, "apart"));
  assert.deepEqual([copy.sizeBytes, copy.inodes], [180n, 34]);
});

test("what the server will not clone it copies, and what it will not copy goes through us", async () => {
  for (const [refused, way] of [
    [[], "clone"],
    [["clone"], "copy"],
    [["clone", "copy"], "read-write"],
  ] as const) {
    const memory = new MemoryClient();
    const client = memory.asClient();
    const content = Buffer.from("x".repeat(200_000));
    const source = memory.put("file", "file", { content });
    memory.onOperation = (operation) => {
      if (refused.some((each) => each === operation)) throw failure("storage-unsupported", operation);
    };
    const { ways } = await copyTree(client, source, { client, directory: memory.root.handle, name: "copy" });
    assert.equal(ways[way], 1);
    const copy = await client.lookup(memory.root.handle, "copy");
    assert.deepEqual((await client.read(copy.handle, 0n, 300_000)).data, content);
  }
});

test("progress is told within a file that is copied in pieces, and comes to its length", async () => {
  for (const refused of [["clone"], ["clone", "copy"]]) {
    const memory = new MemoryClient();
    const client = memory.asClient();
    const source = memory.put("file", "file", { content: Buffer.from("x".repeat(200_000)) });
    memory.onOperation = (operation) => {
      if (refused.includes(operation)) throw failure("storage-unsupported", operation);
    };
    const told: TreeProgress[] = [];
    const onProgress = (progress: TreeProgress) => void told.push(progress);
    await copyTree(client, source, { client, directory: memory.root.handle, name: "copy" }, { onProgress });
    const within = told.filter(({ entries }) => entries === 0).map(({ sizeBytes }) => sizeBytes);
    assert.ok(within.length > 1, refused.join());
    assert.deepEqual(
      within,
      within.toSorted((a, b) => Number(a - b)),
    );
    assert.deepEqual(told.at(-1), { entries: 1, sizeBytes: 200_000n });
  }
});

test("what was told of a file that then fails is taken back", async () => {
  const memory = new MemoryClient();
  const client = memory.asClient();
  memory.put("tree/file", "file", { content: Buffer.from("x".repeat(200_000)) });
  memory.onOperation = (operation, _, name) => {
    if (operation === "clone") throw failure("storage-unsupported", name);
    if (operation === "setattr" && copied) throw failure("storage-access", name);
  };
  let copied = false;
  const told: TreeProgress[] = [];
  const onProgress = (progress: TreeProgress) => {
    copied = progress.sizeBytes > 0n && progress.entries === 0;
    told.push(progress);
  };
  const source = await client.lookup(memory.root.handle, "tree");
  const target = { client, directory: memory.root.handle, name: "copy" };
  await copyTree(client, source, target, { onProgress, onFailure: () => {} });
  assert.ok(told.some(({ sizeBytes }) => sizeBytes === 200_000n));
  assert.equal(told.at(-1)?.sizeBytes, 0n);
});

test("entries without attributes are looked up", async () => {
  const memory = grow([{ path: ["a", "b"], type: "file" }]);
  memory.attributesLeftOut = (name) => name === "a" || name === "last";
  assert.deepEqual((await pathsOf(memory)).toSorted(), ["/tree", "/tree/a", "/tree/a/b", "/tree/last"]);
});

test("another file system is told and not entered; removing stops at it", async () => {
  const memory = new MemoryClient();
  memory.put("tree/other", "directory", { fsid: 2n });
  memory.put("tree/other/precious", "file", { fsid: 2n });
  const client = memory.asClient();
  assert.deepEqual((await pathsOf(memory)).toSorted(), ["/tree", "/tree/other"]);
  assert.equal((await usageOfTree(client, memory.root)).boundaries, 1);
  await assert.rejects(removeTree(client, memory.root.handle, "tree"), (error) =>
    hasCode(error, "storage-busy"),
  );
  assert.ok(memory.dump().has("/tree/other/precious"));
});

test("a failure of one entry ends the work, or is told and the rest is done", async () => {
  const memory = grow([
    { path: ["a", "kept"], type: "file" },
    { path: ["b", "gone"], type: "file" },
  ]);
  const client = memory.asClient();
  memory.onOperation = (operation, _, name) => {
    if (operation === "remove" && name === "kept") throw failure("storage-access", name);
  };
  await assert.rejects(removeTree(client, memory.root.handle, "tree"), (error) =>
    hasCode(error, "storage-access"),
  );
  const failures: BerthError[] = [];
  await removeTree(client, memory.root.handle, "tree", { onFailure: (each) => failures.push(each) });
  assert.equal(failures.length, 1);
  assert.deepEqual([...memory.dump().keys()], ["", "/tree", "/tree/a", "/tree/a/kept"]);
});

test("where access is refused the directory's owner is tried, then with the owner's permissions", async () => {
  const memory = new MemoryClient();
  memory.put("tree/locked", "directory", { uid: 1000, mode: 0o500 });
  memory.put("tree/locked/file", "file");
  const client = memory.asClient();
  memory.onOperation = (operation, { credentials }, name) => {
    if (operation !== "remove" || name !== "file") return;
    const locked = memory.dump().get("/tree/locked");
    if (credentials?.uid !== 1000 || locked?.startsWith("directory 7") !== true)
      throw failure("storage-access", name);
  };
  await assert.rejects(removeTree(client, memory.root.handle, "tree"));
  await removeTree(client, memory.root.handle, "tree", { actAsOwner: true });
  assert.deepEqual([...memory.dump().keys()], [""]);
});

test("entries that appear while a directory is emptied go too", async () => {
  const memory = grow([]);
  const client = memory.asClient();
  let appearing = 3;
  memory.onOperation = (operation, _, name) => {
    if (operation === "rmdir" && name === "tree" && appearing-- > 0)
      memory.put(`tree/late${appearing}`, "file");
  };
  await removeTree(client, memory.root.handle, "tree");
  assert.deepEqual([...memory.dump().keys()], [""]);
});

for (const code of ["storage-no-entry", "storage-stale"] as const) {
  test(`what another removes at the same moment is no failure where the server answers ${code}`, async () => {
    const memory = new MemoryClient();
    memory.put("tree/a/file", "file");
    const { handle } = memory.put("tree/b", "directory");
    memory.put("tree/b/theirs", "file");
    let isTheirs = false;
    memory.onOperation = (operation, _, name) => {
      if (operation !== "remove" || name !== "theirs" || isTheirs) return;
      isTheirs = true;
      void memory.remove(handle, name);
      throw failure(code, name);
    };
    const { entries } = await removeTree(memory.asClient(), memory.root.handle, "tree");
    assert.deepEqual([entries, [...memory.dump().keys()]], [4, [""]]);
  });
}

test("a directory that another has emptied and removed is no failure", async () => {
  const memory = new MemoryClient();
  memory.put("tree/file", "file");
  const theirs = memory.removeMany.bind(memory);
  memory.removeMany = async (...removal) => {
    await theirs(...removal);
    await memory.rmdir(memory.root.handle, "tree");
    throw failure("storage-stale", "tree");
  };
  await removeTree(memory.asClient(), memory.root.handle, "tree");
  assert.deepEqual([...memory.dump().keys()], [""]);
});

test("an abort ends the work with code cancelled and no further request", async () => {
  const memory = grow([{ path: ["a", "b"], type: "file" }]);
  const abort = new AbortController();
  let operations = 0;
  memory.onOperation = () => {
    operations++;
    if (operations === 4) abort.abort();
  };
  const removal = removeTree(memory.asClient(), memory.root.handle, "tree", { signal: abort.signal });
  await assert.rejects(removal, (error) => hasCode(error, "cancelled"));
  assert.equal(operations, 4);
});

test("leaving a walk ends its reading", async () => {
  const memory = grow([{ path: ["a", "b", "c", "d", "e"], type: "file" }]);
  let operations = 0;
  for await (const page of walkTree(memory.asClient(), memory.root)) {
    assert.equal(page.path, "");
    memory.onOperation = () => operations++;
    break;
  }
  assert.equal(operations, 0);
});

test("a copy into its own source does not meet itself", async () => {
  const memory = grow([{ path: ["a", "b"], type: "file" }]);
  const client = memory.asClient();
  const source = await client.lookup(memory.root.handle, "tree");
  await copyTree(client, source, { client, directory: source.handle, name: "copy" });
  const copied = [...memory.dump().keys()].filter((path) => path.startsWith("/tree/copy"));
  assert.deepEqual(copied.toSorted(), ["/tree/copy", "/tree/copy/a", "/tree/copy/a/b", "/tree/copy/last"]);
});

function sorted(map: ReadonlyMap<string, string>): [string, string][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
