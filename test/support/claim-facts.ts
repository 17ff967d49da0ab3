/** What any `Share` does with names of files that several may want. */
import assert from "node:assert/strict";
import { at, bytes, type Fact, namesOf, rejectsWith, textOf, winnerOf } from "./share-contract.ts";

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

export function linkedFacts(fact: Fact): void {
  fact("createLinked makes a file of two names", async (share) => {
    await share.makeDirectory(at("records"), 0o755);
    await share.createLinked(at("temporary"), bytes("content"), at("records/record"));
    for (const name of ["temporary", "records/record"])
      assert.equal(await textOf(share, at(name)), "content");
    await share.removeFile(at("temporary"));
    assert.equal(await textOf(share, at("records/record")), "content");
  });

  fact("createLinked of a large file makes all of it", async (share) => {
    const content = bytes("0123456789abcdef".repeat(2 ** 17));
    await share.createLinked(at("temporary"), content, at("record"));
    assert.ok(Buffer.from(content).equals(await share.readFile(at("record"), content.length)));
  });

  fact("createLinked says storage-exists of either name, and leaves what is there", async (share) => {
    await share.createFile(at("record"), bytes("content"));
    const taken = share.createLinked(at("temporary"), bytes("other"), at("record"));
    await rejectsWith(share, "storage-exists", "record", taken);
    assert.equal(await textOf(share, at("record")), "content");
    assert.equal(await textOf(share, at("temporary")), "other");
    const again = share.createLinked(at("temporary"), bytes("third"), at("free"));
    await rejectsWith(share, "storage-exists", "temporary", again);
    assert.equal(await textOf(share, at("temporary")), "other");
    assert.deepEqual(await namesOf(share), ["record", "temporary"]);
  });

  fact("of 20 files created for one name at once one gets it", async (share) => {
    const temporaries = Array.from({ length: 20 }, (_, index) => at(`temporary-${index}`));
    const winner = await winnerOf(
      temporaries.map((path) => share.createLinked(path, bytes(path), at("record"))),
    );
    assert.equal(await textOf(share, at("record")), temporaries[winner]);
  });

  fact("moveFile gives a file another name for its first, and replaces nothing", async (share) => {
    await share.makeDirectory(at("claims"), 0o755);
    await share.createFile(at("a"), bytes("a"));
    await share.moveFile(at("a"), at("claims/a"));
    assert.deepEqual(await namesOf(share), ["claims"]);
    await share.createFile(at("b"), bytes("b"));
    await rejectsWith(share, "storage-exists", "claims/a", share.moveFile(at("b"), at("claims/a")));
    assert.equal(await textOf(share, at("claims/a")), "a");
    assert.equal(await textOf(share, at("b")), "b");
    await rejectsWith(share, "storage-no-entry", "gone", share.moveFile(at("gone"), at("c")));
    await rejectsWith(share, "storage-no-entry", "gone/b", share.moveFile(at("b"), at("gone/b")));
    assert.deepEqual(await namesOf(share), ["b", "claims"]);
  });
}
