import assert from "node:assert/strict";
import { test } from "node:test";
import { BerthError } from "../core/errors.ts";
import { NfsError } from "./nfs-error.ts";
import { replaceFile } from "./replace-file.ts";
import { failure, MemoryClient } from "./trees/testing/memory-client.ts";

const lost = () =>
  new NfsError("storage-unavailable", "the answer was lost", {
    ...{ server: "memory:/", operation: "RENAME", diagnosis: "disconnected", outcome: "unknown" },
  });

/** A client with a file `name`, and its replacing by another. */
function begin() {
  const memory = new MemoryClient();
  const client = memory.asClient();
  memory.put("name", "file", { content: Buffer.from("old") });
  const replacing = () =>
    replaceFile(client, memory.root.handle, "name", {}, async (file) => {
      await client.setattr(file, { sizeBytes: 3n });
      await client.write(file, 0n, Buffer.from("new"), "file-sync");
    });
  const content = () =>
    [...memory.dump()].filter(([path]) => path !== "").map(([, text]) => text.split(" ").at(-1));
  return { memory, replacing, content };
}

test("a file is in the place of the old one, and nothing beside it", async () => {
  const { replacing, content } = begin();
  await replacing();
  assert.deepEqual(content(), ["new"]);
});

test("a renaming whose answer was lost is done where the temporary name is gone, and else not", async () => {
  const done = begin();
  done.memory.onOperation = (operation, _, name) => {
    if (operation !== "rename") return;
    done.memory.onOperation = () => {};
    void done.memory.rename(done.memory.root.handle, name, done.memory.root.handle, "name");
    throw lost();
  };
  await done.replacing();
  assert.deepEqual(done.content(), ["new"]);
  const undone = begin();
  undone.memory.onOperation = (operation) => {
    if (operation === "rename") throw lost();
  };
  await assert.rejects(undone.replacing(), { message: "the answer was lost", outcome: "unknown" });
  assert.deepEqual(undone.content(), ["old"]);
});

test("what cannot be removed after a failure is told by name", async () => {
  const { memory, replacing, content } = begin();
  memory.onOperation = (operation) => {
    if (operation === "write") throw new BerthError("storage-no-space", "full");
    if (operation === "remove") throw failure("storage-unavailable", "");
  };
  await assert.rejects(replacing(), {
    code: "storage-no-space",
    message: /^full; "\.berth-[a-z2-7]{26}" may be left beside it: remove it$/,
  });
  assert.ok(content().includes("old"));
});
