/** The decoders on what real servers replied, as it was and with bytes changed, cut and grown. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { XdrError } from "../../src/xdr/xdr-error.ts";
import { mutated, mutations } from "./recorded/mutations.ts";
import { allNames, asJson, decodeReply, readRecording, recordings } from "./recorded/replies.ts";

for (const recording of recordings) {
  test(`each reply of ${recording} means what it meant when it came`, () => {
    for (const reply of readRecording(recording)) {
      const decoded = decodeReply(reply, Buffer.from(reply.results, "hex"));
      assert.deepEqual(asJson(decoded), reply.decoded, reply.procedure ?? reply.operations?.join(" "));
    }
  });

  test(`a reply of ${recording} with anything changed is decoded, or refused as malformed`, () => {
    const replies = readRecording(recording).map((reply) => ({
      reply,
      bytes: Buffer.from(reply.results, "hex"),
    }));
    fc.assert(
      fc.property(fc.constantFrom(...replies), mutations, ({ reply, bytes }, changes) => {
        try {
          decodeReply(reply, mutated(bytes, changes));
        } catch (error) {
          assert.ok(error instanceof XdrError, String(error));
        }
      }),
      { seed: 7, numRuns: 5000 },
    );
  });
}

test("a real reply tells of a file what it is", () => {
  const knfsd = readRecording("knfsd-3");
  const found = knfsd.filter(({ procedure }) => procedure === "GETATTR").map(({ decoded }) => decoded);
  const file = found.find((each) => JSON.stringify(each).includes('"type":"file"'));
  assert.ok(file !== null && typeof file === "object");
  const expected = { type: "file", mode: 0o640, links: 1, uid: 1000, gid: 1001, sizeBytes: "7" };
  assert.deepEqual({ ...file, ...expected }, file);
});

test("every procedure and operation was recorded", () => {
  const seen = new Set(
    recordings
      .flatMap(readRecording)
      .flatMap(({ procedure, operations }) => (procedure === undefined ? (operations ?? []) : [procedure])),
  );
  assert.deepEqual(
    allNames.filter((name) => !seen.has(name)),
    [],
  );
});
