import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BerthError } from "../../core/errors.ts";
import { classLayer, flagLayer, mergeOptions } from "./nfs-options.ts";

test("a later layer replaces what an earlier one says on the same topic, and leaves the rest", () => {
  const merged = mergeOptions([classLayer("hard,timeo=600,lock,vers=3"), flagLayer(["soft", "nolock,v4.1"])]);
  assert.deepEqual(merged.nfs, ["soft", "timeo=600", "nolock"]);
  assert.equal(merged.version, "4.1");
});

test("the kernel's general options are kept apart and in order, and those of fstab are left out", () => {
  const merged = mergeOptions([classLayer("ro,_netdev,noatime"), flagLayer(["rw", "nofail"])]);
  assert.deepEqual(merged.general, ["ro", "noatime", "rw"]);
  assert.deepEqual(merged.nfs, []);
});

test("a comma within quotes belongs to its option", () => {
  const context = 'context="system_u:object_r:container_file_t:s0:c1,c2"';
  assert.deepEqual(mergeOptions([flagLayer([`hard,${context}`])]).nfs, ["hard", context]);
});

test("an option that is repeated with the same value contradicts nothing", () => {
  assert.deepEqual(mergeOptions([flagLayer(["hard", "hard,vers=4.1", "nfsvers=4.1"])]).nfs, ["hard"]);
});

for (const [what, flags, message] of [
  ["an unknown one", ["hard", "x"], /^mount flag 1 is none/],
  ["a value that does not fit", ["timeo=soon"], /^mount flag 0 is none/],
  ["a value where none belongs", ["hard=1"], /^mount flag 0 is none/],
  ["no value where one belongs", ["timeo"], /^mount flag 0 is none/],
  ["port 0, which is none", ["port=0"], /^mount flag 0 is none/],
  ["a port beyond the last", ["mountport=65536"], /^mount flag 0 is none/],
  ["an unknown version", ["vers=5"], /^mount flag 0 is none/],
  ["two versions", ["vers=3", "v4.1"], /^mount flag 1 contradicts mount flag 0/],
  ["hard and soft", ["hard,soft"], /^mount flag 0 contradicts mount flag 0/],
  ["a shared superblock", ["sharecache"], /one superblock/],
  ["another address", ["addr=10.0.0.1"], /another address/],
  ["the background", ["bg"], /background/],
  ["UDP", ["proto=udp"], /loses data/],
  ["a name of every object", ["constructor"], /is none/],
] as const) {
  test(`${what} is refused by its position`, () => {
    const refused = (reason: unknown) =>
      reason instanceof BerthError && reason.code === "invalid-argument" && message.test(reason.message);
    assert.throws(() => mergeOptions([flagLayer(flags)]), refused);
  });
}

test("the first and the last port may be named", () => {
  const { nfs } = mergeOptions([flagLayer(["port=65535", "mountport=1"])]);
  assert.deepEqual(nfs, ["port=65535", "mountport=1"]);
});

test("whatever an option holds, it is taken as one of the known ones or refused without being repeated", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 8 }), (secret) => {
      try {
        mergeOptions([flagLayer([`timeo=${secret}`])]);
        assert.match(secret, /^[0-9]{8,9}$|^\s*$|^[,"]/);
      } catch (reason) {
        assert.ok(reason instanceof BerthError);
        assert.equal(reason.message.includes(secret), false);
      }
    }),
  );
});
