import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { XdrError } from "../xdr/xdr-error.ts";
import { XdrReader } from "../xdr/xdr-reader.ts";
import { XdrWriter } from "../xdr/xdr-writer.ts";
import type { DirectoryPage, FileHandle } from "./file.ts";
import { firstPosition, nextPosition, readPages } from "./readdir-pages.ts";
import { copied } from "./taking.ts";
import { fsinfo } from "./v3/fsinfo.ts";
import { fsstat as fsstat3 } from "./v3/fsstat.ts";
import { getattr as getattr3 } from "./v3/getattr.ts";
import { lookup as lookup3 } from "./v3/lookup.ts";
import { mkdir as mkdir3 } from "./v3/mkdir.ts";
import { read as read3 } from "./v3/read.ts";
import * as v3 from "./v3/readdir.ts";
import { readlink as readlink3 } from "./v3/readlink.ts";
import { rename as rename3 } from "./v3/rename.ts";
import { write as write3 } from "./v3/write.ts";
import { readCompoundHeader, readResults } from "./v4/compound.ts";
import { copy } from "./v4/copy.ts";
import { openNew } from "./v4/create.ts";
import { getfh, putfh } from "./v4/filehandle.ts";
import { fsstat } from "./v4/fsstat.ts";
import { getattr } from "./v4/getattr.ts";
import { mkdir } from "./v4/mkdir.ts";
import { read } from "./v4/read.ts";
import { readdir } from "./v4/readdir.ts";
import { readlink } from "./v4/readlink.ts";
import { createSession, exchangeId, transferLimits } from "./v4/session-operations.ts";
import { write } from "./v4/write.ts";
import { listxattrs } from "./v4/xattr.ts";

const handle = "\0".repeat(32) as FileHandle;
const data = new Uint8Array(64);
const range = { sourceOffset: 0n, targetOffset: 0n, lengthBytes: 0n };

const decoders: readonly { name: string; decode(reader: XdrReader): unknown }[] = [
  getattr3(handle),
  lookup3(handle, "x"),
  mkdir3(handle, "x", {}),
  read3(handle, 0n, 64, copied),
  readlink3(handle),
  rename3(handle, "a", handle, "b"),
  write3(handle, 0n, data, "unstable"),
  v3.readdir(handle, firstPosition, "all", 4096),
  v3.readdir(handle, firstPosition, "names", 4096),
  v3.readdir(handle, firstPosition, "brief", 4096),
  fsinfo(handle),
  fsstat3(handle),
  getattr,
  getfh,
  mkdir("x", {}),
  openNew(1n, "x", {}),
  read(0n, 64, copied),
  write(0n, data, "unstable"),
  readdir(firstPosition, "all", 4096),
  readdir(firstPosition, "brief", 4096),
  readlink,
  fsstat,
  copy(range),
  listxattrs(0n, 4096),
  exchangeId({ verifier: new Uint8Array(8), id: data }),
  createSession({ clientId: 1n, sequence: 1 }),
  transferLimits,
];

/** Words that decoders take for counts, lengths and discriminants, among any others. */
const word = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 4 }) },
  { weight: 2, arbitrary: fc.constantFrom(8, 16, 32, 255, 0x7fffffff, 0x80000000, 0xffffffff) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffffffff }) },
);

const reply = fc.array(word, { maxLength: 120 }).map((words) => {
  const writer = new XdrWriter();
  for (const each of words) writer.uint32(each);
  return writer.bytes();
});

for (const [index, decoder] of decoders.entries()) {
  test(`whatever stands in a reply, ${decoder.name} (${index}) decodes it or throws an XdrError`, () => {
    fc.assert(
      fc.property(reply, (bytes) => {
        try {
          decoder.decode(new XdrReader(bytes));
        } catch (error) {
          assert.ok(error instanceof XdrError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
}

test("a compound that was cut with status OK is no success", () => {
  const writer = new XdrWriter().uint32(0).uint32(0).uint32(1).uint32(22).uint32(0);
  const reader = new XdrReader(writer.bytes());
  const header = readCompoundHeader(reader);
  const cut = readResults(reader, header, [putfh(handle), getfh]);
  assert.deepEqual(cut, { status: "error", code: 10070, index: 1, results: [undefined] });
});

test("a compound that fails tells which operation did", () => {
  const writer = new XdrWriter().uint32(2).uint32(0).uint32(2).uint32(22).uint32(0).uint32(10).uint32(2);
  const reader = new XdrReader(writer.bytes());
  const header = readCompoundHeader(reader);
  const failed = readResults(reader, header, [putfh(handle), getfh, getattr]);
  assert.deepEqual(failed, { status: "error", code: 2, index: 1, results: [undefined] });
});

test("a directory whose cookies go in circles ends with an error", async () => {
  const entries = [{ name: "x", fileid: 1n }];
  const circle = (cookie: bigint): Promise<DirectoryPage> => {
    return Promise.resolve({ entries, next: { cookie: 1n + (cookie % 7n), verifier: new Uint8Array(8) } });
  };
  const site = { server: "nas:/srv", version: "3", operation: "READDIRPLUS", uid: 0 };
  let pages = 0;
  await assert.rejects(
    async () => {
      for await (const page of readPages(firstPosition, site, ({ cookie }) => circle(cookie)))
        pages += page.entries.length;
    },
    { code: "storage-io", server: "nas:/srv", diagnosis: "malformed" },
  );
  assert.ok(pages < 32);
});

test("a page that tells entries and leads back to its own place is refused", () => {
  assert.throws(() => nextPosition(firstPosition, 0n, new Uint8Array(8), 1), XdrError);
});
