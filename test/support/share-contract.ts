import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ErrorCode, hasCode } from "../../src/core/errors.ts";
import type { Share } from "../../src/share/share.ts";
import { join, parseSharePath, type SharePath, shareRoot } from "../../src/share/share-path.ts";
import { linkFacts, stepFacts } from "./claim-facts.ts";
import { renameFacts } from "./rename-facts.ts";
import { usageFacts } from "./usage-facts.ts";

/** A share with nothing on it, and hands that put there what no `Share` makes itself. */
export interface ShareFixture {
  readonly share: Share;
  makeSymlink(target: string, path: SharePath): Promise<void>;
  makeFifo(path: SharePath): Promise<void>;
  /** Closes the share, and leaves nothing of it. */
  close(): Promise<void>;
}

export const at = parseSharePath;
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Rejects with a storage code, in words that name the share and the path. */
export async function rejectsWith(
  share: Share,
  code: ErrorCode,
  path: string,
  work: Promise<unknown>,
): Promise<void> {
  await assert.rejects(work, (reason) => {
    assertFailure(share, code, path, reason);
    return true;
  });
}

/** That a failure has this code, and names share and path. */
export function assertFailure(share: Share, code: ErrorCode, path: string, reason: unknown): void {
  assert.ok(hasCode(reason, code), `expected ${code}, got ${String(reason)}`);
  const address = /\((.*)\)$/.exec(share.name)?.[1] ?? share.name;
  assert.ok(reason.message.includes(address), `no share is named: ${reason.message}`);
  assert.ok(reason.message.includes(path), `no path is named: ${reason.message}`);
}

export async function namesOf(share: Share, path: SharePath = shareRoot): Promise<string[]> {
  return (await Array.fromAsync(share.list(path))).map(({ name }) => name).sort();
}

export async function textOf(share: Share, path: SharePath): Promise<string> {
  return Buffer.from(await share.readFile(path, 100)).toString();
}

/** Which one succeeded; all others say that it exists. */
export async function winnerOf(operations: readonly Promise<unknown>[]): Promise<number> {
  const results = await Promise.allSettled(operations);
  const losers = results.filter((result) => result.status === "rejected");
  assert.equal(losers.length, operations.length - 1);
  assert.ok(losers.every(({ reason }) => hasCode(reason, "storage-exists")));
  return results.findIndex(({ status }) => status === "fulfilled");
}

function factOn(makeShare: () => Promise<ShareFixture>): Fact {
  return (title, work) =>
    test(title, async () => {
      const fixture = await makeShare();
      try {
        await work(fixture.share, fixture);
      } finally {
        await fixture.close();
      }
    });
}

/** Registers the facts about any `Share`, each on a share of its own. */
export function shareContract(name: string, makeShare: () => Promise<ShareFixture>): void {
  const fact = factOn(makeShare);
  describe(`${name}, as any share`, () => {
    statFacts(fact);
    directoryFacts(fact);
    fileFacts(fact);
    linkFacts(fact);
    stepFacts(fact);
    renameFacts(fact);
    removeFacts(fact);
    removeTreeFacts(fact);
    usageFacts(fact);
    pathFacts(fact);
  });
}

export type Fact = (title: string, work: (share: Share, fixture: ShareFixture) => Promise<void>) => void;

function statFacts(fact: Fact): void {
  fact("stat and list tell the types of things apart", async (share, fixture) => {
    await share.makeDirectory(at("directory"), 0o755);
    await share.createFile(at("file"), bytes("four"));
    await fixture.makeSymlink("directory", at("symlink"));
    await fixture.makeFifo(at("other"));
    const listed = await Array.fromAsync(share.list(shareRoot));
    assert.equal(listed.length, 4);
    for (const { name, type } of listed) {
      assert.equal(type, name);
      assert.equal((await share.stat(at(name))).type, name);
    }
    assert.equal((await share.stat(at("file"))).sizeBytes, 4n);
    assert.equal((await share.stat(shareRoot)).type, "directory");
  });

  fact("fsid and fileid stay with a thing that is renamed, and are only its own", async (share) => {
    const made = await share.makeDirectory(at("a"), 0o755);
    const neighbour = await share.makeDirectory(at("b"), 0o755);
    assert.equal(made.fsid, neighbour.fsid);
    assert.notEqual(made.fileid, neighbour.fileid);
    await share.rename(at("a"), at("c"));
    const renamed = await share.stat(at("c"));
    assert.deepEqual([renamed.fsid, renamed.fileid], [made.fsid, made.fileid]);
  });

  fact("space is within what the file system has", async (share) => {
    await share.makeDirectory(at("a"), 0o755);
    for (const path of [shareRoot, at("a")]) {
      const space = await share.space(path);
      assert.ok(space.totalBytes > 0n);
      assert.ok(space.availableBytes >= 0n && space.availableBytes <= space.totalBytes);
      assert.ok(space.availableInodes >= 0n && space.availableInodes <= space.totalInodes);
    }
  });
}

function directoryFacts(fact: Fact): void {
  fact("makeDirectory gives exactly the mode asked for, whatever the umask", async (share) => {
    const umask = process.umask(0o077);
    try {
      for (const mode of [0o700, 0o755, 0o777, 0o1777, 0o2770, 0o500]) {
        const path = at(mode.toString(8));
        assert.equal((await share.makeDirectory(path, mode)).mode, mode);
        assert.equal((await share.stat(path)).mode, mode);
      }
    } finally {
      process.umask(umask);
    }
  });

  fact("makeDirectory answers with what stat says", async (share) => {
    const made = await share.makeDirectory(at("a"), 0o750);
    assert.deepEqual(await share.stat(at("a")), made);
  });

  fact("makeDirectory says storage-exists, whatever is there", async (share, fixture) => {
    await share.makeDirectory(at("directory"), 0o755);
    await share.createFile(at("file"), bytes(""));
    await fixture.makeSymlink("nowhere", at("symlink"));
    for (const name of ["directory", "file", "symlink"]) {
      await rejectsWith(share, "storage-exists", name, share.makeDirectory(at(name), 0o755));
    }
  });

  fact("of 20 makeDirectory at once one wins", async (share) => {
    await winnerOf(Array.from({ length: 20 }, () => share.makeDirectory(at("a"), 0o755)));
  });

  fact("setAttributes changes the mode of a directory", async (share) => {
    await share.makeDirectory(at("a"), 0o700);
    await share.setAttributes(at("a"), { mode: 0o2775 });
    assert.equal((await share.stat(at("a"))).mode, 0o2775);
  });

  fact("list gives every name of a large directory once, and can be left early", async (share) => {
    const names = Array.from({ length: 600 }, (_, index) => `entry-${String(index).padStart(3, "0")}`);
    for (const name of names) await share.createFile(at(name), bytes(""));
    assert.deepEqual(await namesOf(share), names);
    for await (const { name } of share.list(shareRoot)) {
      assert.ok(names.includes(name));
      break;
    }
  });
}

function fileFacts(fact: Fact): void {
  fact("readFile gives back what createFile was given", async (share) => {
    const contents = [bytes(""), bytes("a"), new Uint8Array(65_536).map((_, index) => index % 251)];
    for (const [index, content] of contents.entries()) {
      await share.createFile(at(`file-${index}`), content);
      assert.deepEqual(new Uint8Array(await share.readFile(at(`file-${index}`), 65_536)), content);
    }
  });

  fact("readFile reads up to its bound, and says storage-too-large one byte beyond", async (share) => {
    await share.createFile(at("file"), bytes("12345"));
    assert.equal((await share.readFile(at("file"), 5)).length, 5);
    await rejectsWith(share, "storage-too-large", "file", share.readFile(at("file"), 4));
  });

  fact("readFile says storage-unsupported of what is no file", async (share, fixture) => {
    await share.makeDirectory(at("directory"), 0o755);
    await fixture.makeFifo(at("fifo"));
    for (const name of ["directory", "fifo"]) {
      await rejectsWith(share, "storage-unsupported", name, share.readFile(at(name), 10));
    }
  });

  fact("createFile says storage-exists and leaves what is there", async (share, fixture) => {
    await share.createFile(at("file"), bytes("first"));
    await rejectsWith(share, "storage-exists", "file", share.createFile(at("file"), bytes("second")));
    assert.equal(await textOf(share, at("file")), "first");
    await fixture.makeSymlink("target", at("symlink"));
    await rejectsWith(share, "storage-exists", "symlink", share.createFile(at("symlink"), bytes("")));
    assert.deepEqual(await namesOf(share), ["file", "symlink"]);
  });
}

function removeFacts(fact: Fact): void {
  fact("removeFile removes a file, and of a symbolic link only the link", async (share, fixture) => {
    await share.createFile(at("file"), bytes(""));
    await fixture.makeSymlink("file", at("symlink"));
    await share.removeFile(at("symlink"));
    assert.deepEqual(await namesOf(share), ["file"]);
    await share.removeFile(at("file"));
    assert.deepEqual(await namesOf(share), []);
  });

  fact("removeFile never removes a directory", async (share) => {
    await share.makeDirectory(at("a"), 0o755);
    await assert.rejects(share.removeFile(at("a")));
    assert.deepEqual(await namesOf(share), ["a"]);
  });

  fact("removeDirectory removes only directories that are empty", async (share) => {
    await share.makeDirectory(at("a"), 0o755);
    await share.createFile(at("a/file"), bytes(""));
    await rejectsWith(share, "storage-not-empty", "a", share.removeDirectory(at("a")));
    await rejectsWith(share, "storage-not-a-directory", "a/file", share.removeDirectory(at("a/file")));
    await share.removeFile(at("a/file"));
    await share.removeDirectory(at("a"));
    assert.deepEqual(await namesOf(share), []);
  });
}

function removeTreeFacts(fact: Fact): void {
  fact("removeTree counts what it removes, and is content when it is gone", async (share, fixture) => {
    await share.makeDirectory(at("kept"), 0o755);
    await share.createFile(at("kept/file"), bytes(""));
    await share.makeDirectory(at("tree"), 0o755);
    for (const name of ["a", "b", "c"]) {
      await share.makeDirectory(join(at("tree"), name), 0o755);
      for (let file = 0; file < 40; file += 1) {
        await share.createFile(join(at("tree"), name, `file-${file}`), bytes(""));
      }
    }
    await fixture.makeSymlink("../kept", at("tree/symlink"));
    await fixture.makeFifo(at("tree/fifo"));
    const seen: number[] = [];
    const onProgress = ({ entries }: { entries: number }) => void seen.push(entries);
    assert.deepEqual(await share.removeTree(at("tree"), { onProgress }), { entries: 126 });
    assert.equal(seen.at(-1), 126);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
    assert.deepEqual(await share.removeTree(at("tree")), { entries: 0 });
    assert.deepEqual(await namesOf(share), ["kept"]);
    assert.deepEqual(await namesOf(share, at("kept")), ["file"]);
  });

  fact("removeTree of what lies below a directory that is gone is content", async (share) => {
    assert.deepEqual(await share.removeTree(at("gone/tree")), { entries: 0 });
  });

  fact("removeTree removes a file, and of a symbolic link only the link", async (share, fixture) => {
    await share.makeDirectory(at("kept"), 0o755);
    await share.createFile(at("kept/file"), bytes(""));
    await share.createFile(at("file"), bytes(""));
    await fixture.makeSymlink("kept", at("symlink"));
    for (const name of ["file", "symlink"]) {
      assert.deepEqual(await share.removeTree(at(name)), { entries: 1 });
    }
    assert.deepEqual(await namesOf(share), ["kept"]);
    assert.deepEqual(await namesOf(share, at("kept")), ["file"]);
  });
}

type Operation = () => Promise<unknown>;

/** What needs `path` to be there. */
function operationsOn(share: Share, path: SharePath): Operation[] {
  return [
    () => share.stat(path),
    () => Array.fromAsync(share.list(path)),
    () => share.readFile(path, 10),
    () => share.setAttributes(path, { mode: 0o700 }),
    () => share.removeFile(path),
    () => share.removeDirectory(path),
    () => share.space(path),
    () => share.usage(path),
  ];
}

/** What needs only the directory above `path`, and a file. */
function operationsInto(share: Share, path: SharePath, file: SharePath): Operation[] {
  return [
    () => share.createFile(path, bytes("")),
    () => share.link(file, path),
    () => share.makeDirectory(path, 0o755),
    () => share.rename(file, path),
  ];
}

function pathFacts(fact: Fact): void {
  fact("what needs a name says storage-unsupported of the share's root", async (share) => {
    await share.createFile(at("file"), bytes(""));
    for (const operation of [
      () => share.readFile(shareRoot, 10),
      () => share.createFile(shareRoot, bytes("")),
      () => share.makeDirectory(shareRoot, 0o755),
      () => share.rename(shareRoot, at("moved")),
      () => share.rename(at("file"), shareRoot),
      () => share.removeFile(shareRoot),
      () => share.removeDirectory(shareRoot),
      () => share.removeTree(shareRoot),
    ]) {
      await rejectsWith(share, "storage-unsupported", "root", operation());
    }
    assert.deepEqual(await namesOf(share), ["file"]);
  });

  fact("every operation below a directory that is not there says storage-no-entry", async (share) => {
    await share.createFile(at("file"), bytes(""));
    const path = at("gone/x");
    for (const operation of [...operationsOn(share, path), ...operationsInto(share, path, at("file"))]) {
      await rejectsWith(share, "storage-no-entry", path, operation());
    }
  });

  fact("operations on a name that is not there say storage-no-entry", async (share) => {
    for (const operation of operationsOn(share, at("gone"))) {
      await rejectsWith(share, "storage-no-entry", "gone", operation());
    }
    await rejectsWith(share, "storage-no-entry", "gone", share.link(at("gone"), at("b")));
    await rejectsWith(share, "storage-no-entry", "gone", share.rename(at("gone"), at("b")));
  });

  for (const type of ["a file", "a symbolic link"]) {
    fact(`through ${type} every operation says storage-not-a-directory`, async (share, fixture) => {
      await share.createFile(at("file"), bytes(""));
      await share.makeDirectory(at("directory"), 0o755);
      await share.createFile(at("directory/x"), bytes("content"));
      if (type === "a file") await share.createFile(at("way"), bytes(""));
      else await fixture.makeSymlink("directory", at("way"));
      const path = at("way/x");
      for (const operation of [
        ...operationsOn(share, path),
        ...operationsInto(share, path, at("file")),
        () => share.removeTree(path),
      ]) {
        await rejectsWith(share, "storage-not-a-directory", path, operation());
      }
      assert.deepEqual(await namesOf(share), ["directory", "file", "way"]);
      assert.equal(await textOf(share, at("directory/x")), "content");
    });
  }
}
