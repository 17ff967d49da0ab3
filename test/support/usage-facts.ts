import assert from "node:assert/strict";
import { join } from "../../src/share/share-path.ts";
import { at, bytes, type Fact } from "./share-contract.ts";

/** What any share says that a tree takes. */
export function usageFacts(fact: Fact): void {
  fact("usage counts bytes and things of a tree, a file with several names once", async (share, fixture) => {
    await share.makeDirectory(at("tree"), 0o755);
    const empty = await share.usage(at("tree"));
    assert.deepEqual([empty.inodes, empty.approximate], [1, false]);
    await share.makeDirectory(at("tree/a"), 0o755);
    await share.createFile(at("tree/a/large"), new Uint8Array(300_000));
    await share.createFile(at("tree/small"), bytes("small"));
    await share.createFile(at("outside"), new Uint8Array(900_000));
    await fixture.makeSymlink("../outside", at("tree/symlink"));
    const before = await share.usage(at("tree"));
    assert.deepEqual([before.inodes, before.approximate], [5, false]);
    assert.ok(before.usedBytes >= 300_000n && before.usedBytes < 600_000n, `${before.usedBytes} bytes`);
    await share.link(at("tree/a/large"), at("tree/again"));
    await share.link(at("tree/a/large"), at("tree/a/once-more"));
    assert.deepEqual(await share.usage(at("tree")), before);
    assert.equal((await share.usage(at("tree/small"))).inodes, 1);
  });

  fact("usage goes as deep as a tree, and as wide", async (share) => {
    let path = at("deep");
    await share.makeDirectory(path, 0o755);
    for (let depth = 1; depth < 100; depth += 1) {
      path = join(path, "d");
      await share.makeDirectory(path, 0o755);
      if (depth % 10 === 0) await share.createFile(join(path, "file"), bytes("x"));
    }
    for (let width = 0; width < 200; width += 1) await share.makeDirectory(at(`deep/${width}`), 0o755);
    const seen: number[] = [];
    const { inodes } = await share.usage(at("deep"), {
      onProgress: ({ entries }) => void seen.push(entries),
    });
    assert.equal(inodes, 100 + 9 + 200);
    assert.ok((seen.at(-1) ?? 0) > 100, `it told only ${seen}`);
  });

  fact("usage that was cancelled ends so", async (share) => {
    await share.makeDirectory(at("tree"), 0o755);
    for (let width = 0; width < 200; width += 1) await share.makeDirectory(at(`tree/${width}`), 0o755);
    await assert.rejects(share.usage(at("tree"), { signal: AbortSignal.abort(), entriesPerSecondMax: 1 }));
  });
}
