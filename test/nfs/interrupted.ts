import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { startTied } from "../../src/lab/guest/process.ts";
import { berthNfsCommand } from "./berth-nfs.ts";

/** What `berth nfs` says, and its exit code, when Ctrl-C comes as soon as `begun` tells that it has begun. */
export async function interruptedWhen(begun: () => Promise<boolean>, ...args: string[]) {
  const command = await startTied(berthNfsCommand(...args), ["ignore", "ignore", "pipe"]);
  const { stderr } = command.child;
  assert.ok(stderr !== null);
  const errors = Array.fromAsync(stderr);
  while (!(await begun())) await delay(10);
  const { code } = await command.kill("SIGINT");
  return { code, stderr: (await errors).join("") };
}
