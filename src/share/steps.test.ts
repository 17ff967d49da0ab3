import assert from "node:assert/strict";
import { test } from "node:test";
import { scratchDirectory } from "../../tools/scratch.ts";
import { BerthError } from "../core/errors.ts";
import { DirectoryShare } from "./directory-share.ts";
import { parseSharePath } from "./share-path.ts";

test("of a list that is given up no later step is begun", async (t) => {
  const share = new DirectoryShare({ name: "test", path: scratchDirectory("steps") });
  t.after(() => share.close());
  const givenUp = new AbortController();
  const listed = share.inOrder(
    [
      { kind: "createFile", path: parseSharePath("a"), content: Buffer.from("a") },
      { kind: "link", existing: parseSharePath("a"), created: parseSharePath("b") },
    ],
    givenUp.signal,
  );
  const late = new BerthError("cancelled", "it took too long");
  givenUp.abort(late); // while the file's content goes to the disk
  assert.deepEqual(await listed, { results: [undefined], done: 1, failure: late });
  await assert.rejects(share.stat(parseSharePath("b")), { code: "storage-no-entry" });
});
