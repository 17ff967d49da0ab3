/** What any `Share` does with names of files that several may want. */
import assert from "node:assert/strict";
import {
  assertFailure,
  at,
  bytes,
  type Fact,
  namesOf,
  rejectsWith,
  textOf,
  winnerOf,
} from "./share-contract.ts";

export function linkFacts(fact: Fact): void {
  fact("link gives a file another name", async (share) => {
    await share.createFile(at("temporary"), bytes("content"));
    await share.link(at("temporary"), at("record"));
    await share.removeFile(at("temporary"));
    assert.equal(await textOf(share, at("record")), "content");
  });

  fact("link says storage-exists and leaves what is there", async (share) => {
    await share.createFile(at("temporary"), bytes("other"));
    await share.createFile(at("record"), bytes("content"));
    await rejectsWith(share, "storage-exists", "record", share.link(at("temporary"), at("record")));
    assert.equal(await textOf(share, at("record")), "content");
  });

  fact("of 20 links to one name at once one wins", async (share) => {
    const temporaries = Array.from({ length: 20 }, (_, index) => at(`temporary-${index}`));
    for (const temporary of temporaries) await share.createFile(temporary, bytes(temporary));
    const winner = await winnerOf(temporaries.map((path) => share.link(path, at("record"))));
    assert.equal(await textOf(share, at("record")), temporaries[winner]);
  });
}

export function stepFacts(fact: Fact): void {
  fact("inOrder takes one step after the other and tells what each gives", async (share) => {
    const { results, done, failure } = await share.inOrder([
      { kind: "makeDirectory", path: at("records"), mode: 0o750 },
      { kind: "makeDirectory", path: at("records/a"), mode: 0o2775 },
      ...linked("temporary", bytes("content"), "records/a/record"),
      { kind: "removeFile", path: at("temporary") },
      { kind: "stat", path: at("records") },
      { kind: "readFile", path: at("records/a/record"), bytesMax: 7 },
    ]);
    assert.equal(failure, undefined);
    assert.equal(done, 7);
    const [records, inner, , , , again] = results;
    assert.deepEqual([records?.type, records?.mode, inner?.mode], ["directory", 0o750, 0o2775]);
    assert.equal(again?.fileid, records?.fileid);
    assert.equal(Buffer.from(results[6] ?? []).toString(), "content");
    assert.deepEqual(await namesOf(share), ["records"]);
    assert.equal((await share.stat(at("records/a"))).fileid, inner?.fileid);
  });

  fact("inOrder ends at the first step that fails, and says which", async (share) => {
    await share.makeDirectory(at("there"), 0o755);
    const taken = await share.inOrder([
      { kind: "makeDirectory", path: at("one"), mode: 0o755 },
      { kind: "makeDirectory", path: at("there"), mode: 0o755 },
      { kind: "makeDirectory", path: at("three"), mode: 0o755 },
    ]);
    assert.equal(taken.done, 1);
    assert.equal(taken.results[0]?.type, "directory");
    assertFailure(share, "storage-exists", "there", taken.failure);
    assert.deepEqual(await namesOf(share), ["one", "there"]);
    const looked = await share.inOrder([
      { kind: "removeDirectory", path: at("one") },
      { kind: "stat", path: at("there") },
      { kind: "stat", path: at("there/gone") },
    ]);
    assert.equal(looked.done, 2);
    assertFailure(share, "storage-no-entry", "there/gone", looked.failure);
    assert.deepEqual(await namesOf(share), ["there"]);
  });

  fact("inOrder removes neither a directory as a file nor a file as a directory", async (share) => {
    await share.makeDirectory(at("directory"), 0o755);
    await share.createFile(at("file"), bytes("content"));
    const one = await share.inOrder([{ kind: "removeFile", path: at("directory") }]);
    const other = await share.inOrder([{ kind: "removeDirectory", path: at("file") }]);
    assertFailure(share, "storage-unsupported", "directory", one.failure);
    assertFailure(share, "storage-not-a-directory", "file", other.failure);
    assert.deepEqual(await namesOf(share), ["directory", "file"]);
  });

  fact("a large file is whole before the step behind it", async (share) => {
    const content = bytes("0123456789abcdef".repeat(2 ** 17));
    const { failure } = await share.inOrder(linked("temporary", content, "record"));
    assert.equal(failure, undefined);
    assert.ok(Buffer.from(content).equals(await share.readFile(at("record"), content.length)));
  });

  fact("more steps than one request holds are all done", async (share) => {
    const paths = Array.from({ length: 100 }, (_, index) => at(`made-${index}`));
    const { results, done } = await share.inOrder(
      paths.map((path) => ({ kind: "makeDirectory", path, mode: 0o700 }) as const),
    );
    assert.equal(done, paths.length);
    assert.equal(new Set(results.map((made) => made?.fileid)).size, paths.length);
    assert.equal((await namesOf(share)).length, paths.length);
  });

  fact("a new file and its second name replace nothing", async (share) => {
    await share.createFile(at("record"), bytes("content"));
    const taken = await share.inOrder(linked("temporary", bytes("other"), "record"));
    assert.equal(taken.done, 1);
    assertFailure(share, "storage-exists", "record", taken.failure);
    assert.equal(await textOf(share, at("record")), "content");
    assert.equal(await textOf(share, at("temporary")), "other");
    const again = await share.inOrder(linked("temporary", bytes("third"), "free"));
    assertFailure(share, "storage-exists", "temporary", again.failure);
    assert.equal(await textOf(share, at("temporary")), "other");
    assert.deepEqual(await namesOf(share), ["record", "temporary"]);
  });

  fact("of 20 files created for one name at once one gets it", async (share) => {
    const temporaries = Array.from({ length: 20 }, (_, index) => at(`temporary-${index}`));
    const winner = await winnerOf(
      temporaries.map(async (path) => {
        const { failure } = await share.inOrder(linked(path, bytes(path), "record"));
        if (failure !== undefined) throw failure;
      }),
    );
    assert.equal(await textOf(share, at("record")), temporaries[winner]);
  });

  fact("a file that gets another name for its first replaces nothing", async (share) => {
    await share.makeDirectory(at("claims"), 0o755);
    await share.createFile(at("a"), bytes("a"));
    assert.equal((await share.inOrder(moved("a", "claims/a"))).done, 2);
    assert.deepEqual(await namesOf(share), ["claims"]);
    await share.createFile(at("b"), bytes("b"));
    assertFailure(share, "storage-exists", "claims/a", (await share.inOrder(moved("b", "claims/a"))).failure);
    assert.equal(await textOf(share, at("claims/a")), "a");
    assert.equal(await textOf(share, at("b")), "b");
    assertFailure(share, "storage-no-entry", "gone", (await share.inOrder(moved("gone", "c"))).failure);
    assertFailure(share, "storage-no-entry", "gone/b", (await share.inOrder(moved("b", "gone/b"))).failure);
    assert.deepEqual(await namesOf(share), ["b", "claims"]);
  });
}

function linked(temporary: string, content: Uint8Array, name: string) {
  return [
    { kind: "createFile", path: at(temporary), content },
    { kind: "link", existing: at(temporary), created: at(name) },
  ] as const;
}

function moved(name: string, other: string) {
  return [
    { kind: "link", existing: at(name), created: at(other) },
    { kind: "removeFile", path: at(name) },
  ] as const;
}
