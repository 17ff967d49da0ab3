/** The demo on real kernels: that it tells the truth, and goes without a trace. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  assertKeepsAll,
  descendantsOf,
  ownMounts,
  startDemo,
  untilGone,
  untilMounted,
} from "../support/demo-process.ts";
import { inMountNamespace } from "../support/mount-namespace.ts";

/** What differs from run to run: figures, the start of a digest, how long it took. */
function alike(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}…/g, "#…")
    .replaceAll(/\d+/g, "0")
    .replaceAll(/ +0\.0 m?s$/gm, " 0 s")
    .replaceAll(/ +/g, " ");
}

/** The parts of the README's excerpt from the demo's output; between them something is left out. */
function partsInReadme(): string[] {
  const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
  const [, excerpt = ""] = /^```\n( {2}Tier guests.*?)^```$/ms.exec(readme) ?? [];
  return excerpt.split(/^ …\n/m);
}

if (inMountNamespace()) {
  const guests = ["--tier", "guests", "--nodes", "2"];

  test("the demo keeps all six invariants on real kernels, shows the server's directory in both mounts, and prints what the README shows", async () => {
    const demo = await startDemo("--tier", "guests");
    await assertKeepsAll(demo);
    const server = "10\\.\\d+\\.\\d+\\.\\d+:/srv/xfs/pvc-[0-9a-f]{8}…";
    assert.match(demo.output(), new RegExp(`${server} .*/globalmount$`, "m"));
    assert.match(demo.output(), new RegExp(`${server} .*/mount$`, "m"));
    assert.match(demo.output(), new RegExp(`${server} .* /data$`, "m"));
    const parts = partsInReadme();
    assert.equal(parts.length, 3);
    for (const part of parts)
      assert.ok(alike(demo.output()).includes(alike(part)), `${part}\n${demo.output()}`);
  });

  test("SIGKILL while guests boot leaves no process and no mount", async () => {
    const before = ownMounts();
    const demo = await startDemo(...guests);
    let others = descendantsOf(demo.pid);
    while (others.length < 20) {
      assert.equal(demo.exitCode, null, demo.output());
      await new Promise(setImmediate);
      others = descendantsOf(demo.pid);
    }
    demo.kill("SIGKILL");
    await once(demo, "close");
    await Promise.all(others.map(untilGone));
    assert.equal(ownMounts(), before);
  });

  for (const [signal, exitCode] of [
    ["SIGINT", 130],
    ["SIGKILL", null],
  ] as const) {
    test(`${signal} while pods run in guests leaves no process and no mount`, async () => {
      const before = ownMounts();
      const demo = await startDemo(...guests);
      await untilMounted(demo);
      const others = descendantsOf(demo.pid);
      demo.kill(signal);
      const [code] = await once(demo, "close");
      assert.equal(code, exitCode);
      await Promise.all(others.map(untilGone));
      assert.equal(ownMounts(), before);
    });
  }
}
