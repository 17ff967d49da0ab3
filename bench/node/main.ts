/**
 * What a node does, in a guest with the kernel's NFS client, beside the bare commands in the same run; prints a
 * table in Markdown:
 *
 *     make bench-node ARGS="--rounds=20 --pods=100"
 *
 * Works as root, and leaves nothing behind.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Lab } from "../../src/lab/lab.ts";
import { flags } from "../../tools/bundle.ts";
import { describeMachine } from "../machine.ts";
import { printTable } from "../table.ts";
import { NodeBench } from "./node-bench.ts";
import { measurePods } from "./pods.ts";
import { measureStage } from "./stage.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, pods: { type: "string", default: "100" } },
});
const bundle = join(import.meta.dirname, "../../dist/berth.js");
await using lab = await Lab.open({
  tier: "guests",
  nodes: 1,
  program: { node: process.execPath, flags, bundle },
});
const before = describeMachine();
await using bench = await NodeBench.open(lab);
const figures = [
  ...(await measureStage(bench, Number(values.rounds))),
  ...(await measurePods(bench, Number(values.pods))),
];
process.stdout.write(`${before}\n\n${printTable(figures)}`);
