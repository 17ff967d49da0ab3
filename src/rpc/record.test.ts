import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { XdrError } from "../xdr/xdr-error.ts";
import { type OnRecord, RecordAssembler, recordMark } from "./record.ts";

function marked(bytes: Uint8Array, last: boolean): Buffer {
  const mark = Buffer.alloc(4);
  mark.writeUInt32BE(last ? recordMark(bytes.length) : bytes.length);
  return Buffer.concat([mark, bytes]);
}

function* split(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  let offset = 0;
  for (const size of sizes) {
    if (offset >= bytes.length) return;
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
  yield bytes.subarray(offset);
}

const neverARecord = () => assert.fail("no record");

test("records come out as they went in, however fragments and segments were cut", () => {
  const records = fc.array(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 4 }));
  fc.assert(
    fc.property(records, fc.array(fc.integer({ min: 1, max: 30 })), (fragmented, sizes) => {
      const stream = fragmented.flatMap((fragments) =>
        fragments.map((fragment, index) => marked(fragment, index === fragments.length - 1)),
      );
      const received: Buffer[] = [];
      const assembler = new RecordAssembler();
      for (const segment of split(Buffer.concat(stream), sizes)) {
        assembler.push(segment, (bytes, start, end) => {
          received.push(Buffer.from(bytes.subarray(start, end)));
        });
      }
      assert.deepEqual(
        received,
        fragmented.map((fragments) => Buffer.concat(fragments)),
      );
    }),
  );
});

test("a long record may be read to where it is put together, in any pieces, and what follows elsewhere", () => {
  const long = Buffer.alloc(300_000, "long");
  const stream = Buffer.concat([marked(long, false), marked(long, true), marked(Buffer.from("short"), true)]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1 }), (sizes) => {
      const assembler = new RecordAssembler();
      const received: Buffer[] = [];
      const elsewhere = Buffer.alloc(70_000);
      let inRoom = 0;
      for (let offset = 0, turn = 0; offset < stream.length; turn++) {
        const room = assembler.room();
        const chunk = room ?? elsewhere;
        const sizeBytes = Math.min(sizes[turn % sizes.length] ?? 1, chunk.length);
        const lengthBytes = stream.copy(chunk, 0, offset, offset + Math.max(sizeBytes, 1000));
        offset += lengthBytes;
        if (room !== undefined) inRoom += lengthBytes;
        const take: OnRecord = (bytes, start, end) => {
          received.push(Buffer.from(bytes.subarray(start, end)));
        };
        assembler.push(chunk, take, lengthBytes);
      }
      assert.deepEqual(received.map(String), [Buffer.concat([long, long]), "short"].map(String));
      assert.ok(inRoom > 2 * (long.length - 2 * 70_000), `${inRoom} bytes needed no copy`);
    }),
    { numRuns: 20 },
  );
});

test("a record beyond the bound is refused by its mark alone", () => {
  const assembler = new RecordAssembler(100);
  assert.throws(() => assembler.push(marked(Buffer.alloc(101), true).subarray(0, 4), neverARecord), XdrError);
});

test("fragments that add up beyond the bound are refused", () => {
  const assembler = new RecordAssembler(100);
  assembler.push(marked(Buffer.alloc(60), false), neverARecord);
  assert.throws(() => assembler.push(marked(Buffer.alloc(60), true), neverARecord), XdrError);
});

test("fragments without end and content are refused", () => {
  const assembler = new RecordAssembler();
  const endless = Buffer.alloc(4 * 5000);
  assert.throws(() => assembler.push(endless, neverARecord), XdrError);
});
