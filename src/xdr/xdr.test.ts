import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { XdrError } from "./xdr-error.ts";
import { XdrReader } from "./xdr-reader.ts";
import { XdrWriter } from "./xdr-writer.ts";

type Item =
  | { kind: "uint32" | "int32"; value: number }
  | { kind: "uint64" | "int64"; value: bigint }
  | { kind: "boolean"; value: boolean }
  | { kind: "opaque"; value: Uint8Array }
  | { kind: "fixedOpaque"; value: Uint8Array }
  | { kind: "text" | "byteString"; value: string };

const item: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ kind: fc.constant("uint32" as const), value: fc.integer({ min: 0, max: 0xffffffff }) }),
  fc.record({ kind: fc.constant("int32" as const), value: fc.integer() }),
  fc.record({ kind: fc.constant("uint64" as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({
    kind: fc.constant("int64" as const),
    value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  }),
  fc.record({ kind: fc.constant("boolean" as const), value: fc.boolean() }),
  fc.record({ kind: fc.constant("opaque" as const), value: fc.uint8Array() }),
  fc.record({ kind: fc.constant("fixedOpaque" as const), value: fc.uint8Array() }),
  fc.record({ kind: fc.constant("text" as const), value: fc.string({ unit: "grapheme" }) }),
  fc.record({
    kind: fc.constant("byteString" as const),
    value: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("latin1")),
  }),
);

function write(writer: XdrWriter, item: Item): void {
  switch (item.kind) {
    case "uint32":
    case "int32":
      writer[item.kind](item.value);
      break;
    case "uint64":
    case "int64":
      writer[item.kind](item.value);
      break;
    case "boolean":
      writer.boolean(item.value);
      break;
    case "opaque":
    case "fixedOpaque":
      writer[item.kind](item.value);
      break;
    case "text":
    case "byteString":
      writer[item.kind](item.value);
  }
}

function read(reader: XdrReader, item: Item): Item["value"] {
  if (item.kind === "opaque") return new Uint8Array(reader.opaque(1000));
  if (item.kind === "fixedOpaque") return new Uint8Array(reader.fixedOpaque(item.value.length));
  if (item.kind === "text" || item.kind === "byteString") return reader[item.kind](1000);
  return reader[item.kind]();
}

test("what the writer writes, the reader reads", () => {
  fc.assert(
    fc.property(fc.array(item), fc.integer({ min: 1, max: 64 }), (items, capacityBytes) => {
      const writer = new XdrWriter(capacityBytes);
      for (const each of items) write(writer, each);
      assert.equal(writer.lengthBytes % 4, 0);
      const reader = new XdrReader(writer.bytes());
      for (const each of items) assert.deepEqual(read(reader, each), each.value);
      reader.end();
    }),
  );
});

test("bytes as a string are on the wire as bytes are", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const asString = new XdrWriter().byteString(Buffer.from(bytes).toString("latin1"));
      assert.deepEqual(asString.bytes(), new XdrWriter().opaque(bytes).bytes());
    }),
  );
});

test("a reader of any bytes returns or throws an XdrError, and never reads beyond them", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.array(item), (bytes, items) => {
      const reader = new XdrReader(Buffer.from(bytes));
      try {
        for (const each of items) read(reader, each);
      } catch (error) {
        assert.ok(error instanceof XdrError);
      }
      assert.ok(reader.remainingBytes >= 0 && reader.offset <= bytes.length);
    }),
  );
});

test("a view taken from a writer survives what is written later", () => {
  const writer = new XdrWriter(8);
  const view = writer.uint32(7).bytes();
  for (let index = 0; index < 100; index++) writer.uint32(index);
  assert.deepEqual(view, Buffer.from([0, 0, 0, 7]));
});

test("items are padded with zeros to four bytes (RFC 4506 §3)", () => {
  assert.deepEqual(new XdrWriter().text("abcde").bytes(), Buffer.from("\0\0\0\u0005abcde\0\0\0", "latin1"));
  assert.deepEqual(new XdrWriter().opaque(Buffer.from([1])).bytes(), Buffer.from([0, 0, 0, 1, 1, 0, 0, 0]));
});

test("lengths beyond the bound are refused before anything is made of them", () => {
  const huge = new XdrWriter().uint32(0xffffffff).bytes();
  assert.throws(() => new XdrReader(huge).opaque(64), XdrError);
  assert.throws(() => new XdrReader(huge).array(64, (reader) => reader.uint32()), XdrError);
  assert.throws(() => new XdrReader(huge).text(64), XdrError);
});

test("a boolean is 0 or 1 (RFC 4506 §4.4)", () => {
  assert.throws(() => new XdrReader(new XdrWriter().uint32(2).bytes()).boolean(), XdrError);
});

test("what is left over is an error", () => {
  assert.throws(() => new XdrReader(Buffer.alloc(4)).end(), XdrError);
});

test("a name that is no UTF-8 comes back as its bytes", () => {
  const bytes = Buffer.from([0x66, 0xff]);
  assert.deepEqual(new XdrReader(new XdrWriter().opaque(bytes).bytes()).textOrBytes(255), bytes);
  assert.equal(new XdrReader(new XdrWriter().text("é").bytes()).textOrBytes(255), "é");
});

test("integers out of range are the programmer's mistake", () => {
  for (const bad of [-1, 2 ** 32, 1.5, Number.NaN]) assert.throws(() => new XdrWriter().uint32(bad));
  for (const bad of [2 ** 31, -(2 ** 31) - 1, 0.5]) assert.throws(() => new XdrWriter().int32(bad));
  for (const bad of [-1n, 2n ** 64n]) assert.throws(() => new XdrWriter().uint64(bad));
  for (const bad of [2n ** 63n, -(2n ** 63n) - 1n]) assert.throws(() => new XdrWriter().int64(bad));
});
