import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { DirectoryGates } from "./directory-gates.ts";
import { parseSharePath } from "./share-path.ts";

const [a, b, c] = [parseSharePath("a"), parseSharePath("b"), parseSharePath("c")];

/** Work that ends when it is told to. */
class Work {
  readonly #end = Promise.withResolvers<void>();
  isRunning = false;

  readonly run = async (): Promise<void> => {
    this.isRunning = true;
    await this.#end.promise;
    this.isRunning = false;
  };

  end(): void {
    this.#end.resolve();
  }
}

test("works in a directory side by side, and waits for what is moved out of it", async () => {
  const gates = new DirectoryGates();
  const [one, other, move, late] = [new Work(), new Work(), new Work(), new Work()];
  const all = [
    gates.beside([a], one.run),
    gates.beside([a, c], other.run),
    gates.alone([b, a], [], move.run),
    gates.beside([a], late.run),
  ];
  const running = () => [one, other, move, late].map(({ isRunning }) => isRunning);
  await turn();
  assert.deepEqual(running(), [true, true, false, false]);
  one.end();
  await turn();
  assert.deepEqual(running(), [false, true, false, false]);
  other.end();
  await turn();
  assert.deepEqual(running(), [false, false, true, false]);
  move.end();
  await turn();
  assert.deepEqual(running(), [false, false, false, true]);
  late.end();
  await Promise.all(all);
});

test("moves between other directories do not wait for each other, and opposite ones do not lock each other out", async () => {
  const gates = new DirectoryGates();
  const [one, opposite, elsewhere] = [new Work(), new Work(), new Work()];
  const all = [
    gates.alone([a, b], [], one.run),
    gates.alone([b, a], [], opposite.run),
    gates.alone([c, c], [], elsewhere.run),
  ];
  await turn();
  assert.deepEqual([one.isRunning, opposite.isRunning, elsewhere.isRunning], [true, false, true]);
  one.end();
  await turn();
  assert.ok(opposite.isRunning);
  opposite.end();
  elsewhere.end();
  await Promise.all(all);
});

test("work that fails lets the next one in", async () => {
  const gates = new DirectoryGates();
  const failing = gates.alone([a, b], [], async () => {
    await turn();
    throw new Error("no");
  });
  const next = gates.beside([b], async () => "in");
  await assert.rejects(failing, /no/);
  assert.equal(await next, "in");
});

test("nobody waits longer than a second for work that hangs", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const gates = new DirectoryGates();
  const [hung, next] = [new Work(), new Work()];
  const all = [gates.beside([a], hung.run), gates.alone([a, b], [], next.run)];
  t.mock.timers.tick(999);
  await turn();
  assert.equal(next.isRunning, false);
  t.mock.timers.tick(1);
  await turn();
  assert.ok(next.isRunning);
  next.end();
  hung.end();
  await Promise.all(all);
  let isIn = false;
  await gates.alone([a, b], [], async () => {
    isIn = true;
  });
  assert.ok(isIn);
});
