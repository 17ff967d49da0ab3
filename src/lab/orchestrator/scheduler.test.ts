import assert from "node:assert/strict";
import { test } from "node:test";
import { placePod, podToRemove } from "./scheduler.ts";

const on = (...nodes: string[]) => nodes.map((nodeName, index) => ({ nodeName, index }));

test("pods are spread: the emptiest node, the first of several", () => {
  assert.equal(placePod(["a", "b", "c"], []), "a");
  assert.equal(placePod(["a", "b", "c"], on("a")), "b");
  assert.equal(placePod(["a", "b", "c"], on("a", "b", "c")), "a");
  assert.equal(placePod(["a", "b"], on("a", "a", "b")), "b");
});

test("the newest pod of the fullest node goes first", () => {
  assert.equal(podToRemove(on("a", "b", "c", "a", "b"))?.index, 4);
  assert.equal(podToRemove(on("a", "a", "b"))?.index, 1);
  assert.equal(podToRemove([]), undefined);
});
