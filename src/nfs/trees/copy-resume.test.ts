/** A copy that goes on where something is already: an earlier run's part, or the source itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BerthError, hasCode } from "../../core/errors.ts";
import type { FileHandle, FileNode } from "../file.ts";
import { copyTree } from "./copy.ts";
import { MemoryClient } from "./testing/memory-client.ts";

test("a copy does not go on in its own source, nor onto it", async () => {
  const memory = new MemoryClient();
  const client = memory.asClient();
  memory.put("tree/tree/file", "file", { content: Buffer.from("inner") });
  memory.put("tree/file", "file", { content: Buffer.from("the outer") });
  memory.put("tree/link", "symlink", { content: Buffer.from("file") });
  const before = [...memory.dump()].toSorted();
  const { handle } = memory.root;
  const outer = await client.lookup(handle, "tree");
  const onto = (source: FileNode, directory: FileHandle, name: string) =>
    copyTree(client, source, { client, directory, name }, { resume: true });
  const refused = (error: unknown) => hasCode(error, "invalid-argument");
  await assert.rejects(onto(outer, handle, "tree"), refused);
  for (const name of ["file", "link"]) {
    await assert.rejects(onto(await client.lookup(outer.handle, name), outer.handle, name), refused);
  }
  assert.deepEqual([...memory.dump()].toSorted(), before);
  // The parent of what is copied, with a directory in it that would lead back.
  memory.put("tree/tree/tree/file", "file", { content: Buffer.from("innermost") });
  const inner = await client.lookup(outer.handle, "tree");
  const failures: BerthError[] = [];
  const target = { client, directory: handle, name: "tree" };
  const onFailure = (failure: BerthError) => failures.push(failure);
  await copyTree(client, inner, target, { resume: true, onFailure });
  assert.deepEqual(failures.map(refused), [true]);
  assert.match(memory.dump().get("/tree/tree/file") ?? "", /inner$/);
});

test("a symbolic link that an earlier run has copied is kept, another is replaced", async () => {
  const memory = new MemoryClient();
  const client = memory.asClient();
  memory.put("tree/same", "symlink", { content: Buffer.from("there") });
  memory.put("tree/other", "symlink", { content: Buffer.from("there") });
  memory.put("copy/other", "symlink", { content: Buffer.from("elsewhere") });
  const kept = memory.put("copy/same", "symlink", { content: Buffer.from("there") });
  const source = await client.lookup(memory.root.handle, "tree");
  const target = { client, directory: memory.root.handle, name: "copy" };
  await copyTree(client, source, target, { resume: true });
  const copy = await client.lookup(memory.root.handle, "copy");
  assert.equal((await client.lookup(copy.handle, "same")).attributes.fileid, kept.attributes.fileid);
  assert.equal(await client.readlink((await client.lookup(copy.handle, "other")).handle), "there");
});
