import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { DirectoryGates } from "./directory-gates.ts";
import { type Move, RenameBatches } from "./rename-batches.ts";
import { parseSharePath } from "./share-path.ts";

const [staging, root, trash] = [parseSharePath("staging"), parseSharePath(""), parseSharePath("trash")];

function move(name: string, from = staging, to = root): Move {
  const path = parseSharePath(name);
  return { source: { parent: from, name }, target: { parent: to, name }, path, newPath: path };
}

/** Batches whose moves are only written down, and fail by name. */
function recorded(failing: readonly string[] = []) {
  const gates = new DirectoryGates();
  const moved: string[][] = [];
  const disturbanceOf = ({ source, target }: Move) => ({ alone: [source.parent, target.parent], way: [] });
  const batches = new RenameBatches(gates, disturbanceOf, async (moves) => {
    const names = moves.map(({ source }) => source.name);
    moved.push(names);
    await turn();
    return new Map(
      names.flatMap((name, index) => (failing.includes(name) ? [[index, new Error(name)]] : [])),
    );
  });
  return { gates, moved, batches };
}

test("what waits for the same two directories goes together, in order, and each learns its own outcome", async () => {
  const { gates, moved, batches } = recorded(["b"]);
  const { promise, resolve } = Promise.withResolvers<void>();
  const work = gates.beside([staging], () => promise);
  const outcomes = ["a", "b", "c"].map((name) => batches.run(move(name)));
  await turn();
  assert.deepEqual(moved, [], "not before the work in one of them has ended");
  resolve();
  await work;
  const settled = await Promise.allSettled(outcomes);
  assert.deepEqual(moved, [["a", "b", "c"]]);
  assert.deepEqual(
    settled.map((each) => (each.status === "rejected" ? each.reason.message : "moved")),
    ["moved", "b", "moved"],
  );
});

test("a move that comes while others are under way is in the next batch", async () => {
  const { moved, batches } = recorded();
  const first = batches.run(move("a"));
  const second = batches.run(move("b"));
  await Promise.all([first, second]);
  assert.deepEqual(moved, [["a"], ["b"]]);
});

test("moves of other directories are no company", async () => {
  const { moved, batches } = recorded();
  await Promise.all([
    batches.run(move("a")),
    batches.run(move("b", root, trash)),
    batches.run(move("c", trash)),
  ]);
  assert.deepEqual(moved.flat().sort(), ["a", "b", "c"]);
  assert.ok(moved.every(({ length }) => length === 1));
});

test("where nothing is known of any, all are told the reason", async () => {
  const batches = new RenameBatches(
    new DirectoryGates(),
    () => ({ alone: [root], way: [] }),
    () => Promise.reject(new Error("no answer")),
  );
  await assert.rejects(batches.run(move("a")), /no answer/);
});
