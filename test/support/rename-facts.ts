import assert from "node:assert/strict";
import { hasCode } from "../../src/core/errors.ts";
import { at, bytes, type Fact, namesOf, rejectsWith, textOf } from "./share-contract.ts";

/** What `rename` moves and replaces, and what it refuses. */
export function renameFacts(fact: Fact): void {
  fact("rename moves a directory with all in it from one directory to another", async (share) => {
    await share.makeDirectory(at("from"), 0o755);
    await share.makeDirectory(at("from/tree"), 0o755);
    await share.createFile(at("from/tree/file"), bytes("content"));
    await share.makeDirectory(at("to"), 0o755);
    await share.rename(at("from/tree"), at("to/moved"));
    assert.deepEqual(await namesOf(share, at("from")), []);
    assert.deepEqual(await namesOf(share, at("to/moved")), ["file"]);
  });

  fact("rename replaces a file, and a directory that is empty", async (share) => {
    await share.createFile(at("a"), bytes("a"));
    await share.createFile(at("b"), bytes("b"));
    await share.rename(at("a"), at("b"));
    assert.equal(await textOf(share, at("b")), "a");
    const moved = await share.makeDirectory(at("c"), 0o755);
    await share.makeDirectory(at("d"), 0o755);
    await share.rename(at("c"), at("d"));
    assert.equal((await share.stat(at("d"))).fileid, moved.fileid);
    assert.deepEqual(await namesOf(share), ["b", "d"]);
  });

  fact(
    "what replaces a file that was made a moment ago is linked and removed in its stead",
    async (share) => {
      for (const name of ["old", "new"]) await share.createFile(at(name), bytes(name));
      await share.rename(at("new"), at("old"));
      await share.link(at("old"), at("linked"));
      assert.equal(await textOf(share, at("linked")), "new");
      await share.removeFile(at("old"));
      assert.deepEqual(await namesOf(share), ["linked"]);
    },
  );

  fact("rename of a directory over a file is refused and moves nothing", async (share) => {
    await share.makeDirectory(at("directory"), 0o755);
    await share.createFile(at("file"), bytes("content"));
    const renamed = share.rename(at("directory"), at("file"));
    await assert.rejects(renamed, (reason) => hasCode(reason, "storage-exists", "storage-not-a-directory"));
    assert.equal(await textOf(share, at("file")), "content");
    assert.deepEqual(await namesOf(share), ["directory", "file"]);
  });

  fact("rename over a full directory says storage-not-empty and moves nothing", async (share) => {
    await share.makeDirectory(at("a"), 0o755);
    await share.makeDirectory(at("full"), 0o755);
    await share.createFile(at("full/file"), bytes(""));
    // An NFS server should say EXIST here (RFC 1813 §3.3.14); a share says what it means.
    await rejectsWith(share, "storage-not-empty", "full", share.rename(at("a"), at("full")));
    assert.deepEqual(await namesOf(share), ["a", "full"]);
    assert.deepEqual(await namesOf(share, at("full")), ["file"]);
  });
}
