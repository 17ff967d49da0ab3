import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { optionsOfFlags } from "../../share/mount-options.ts";
import { combineFlags, equalFlags, flagsOf, type MountFlags, printFlags } from "./mount-flags.ts";
import { MountTable } from "./mount-table.ts";

/** The flags of a mount with these options in the kernel's table. */
function kernel(options: string): MountFlags {
  const [mount] = MountTable.parse(`1 0 8:1 / / ${options} - ext4 /dev/sda rw\n`).mounts;
  assert.ok(mount);
  return flagsOf(mount);
}

function combined(inherited: string, mountFlags: string[], readOnly = false): string {
  return printFlags(
    combineFlags(kernel(inherited), { readOnly, options: optionsOfFlags(mountFlags) }, "share one"),
  );
}

describe("the flags of a new mount", () => {
  for (const { inherited, flags, readOnly = false, wanted } of [
    { inherited: "rw,relatime", flags: [], wanted: "rw,relatime" },
    { inherited: "rw", flags: [], wanted: "rw,strictatime" },
    { inherited: "rw,relatime", flags: [], readOnly: true, wanted: "ro,relatime" },
    { inherited: "rw,relatime", flags: ["ro"], wanted: "ro,relatime" },
    { inherited: "rw,relatime", flags: ["ro", "rw"], wanted: "rw,relatime" },
    { inherited: "rw,relatime", flags: ["rw"], readOnly: true, wanted: "ro,relatime" },
    { inherited: "rw,nosuid,nodev,relatime", flags: [], wanted: "rw,nosuid,nodev,relatime" },
    { inherited: "rw,nosuid,noatime", flags: ["noexec"], wanted: "rw,nosuid,noexec,noatime" },
    {
      inherited: "rw,relatime",
      flags: ["nosuid,nodev", "noexec"],
      wanted: "rw,nosuid,nodev,noexec,relatime",
    },
    { inherited: "rw,relatime", flags: ["nosuid", "suid"], wanted: "rw,relatime" },
    { inherited: "rw,noatime", flags: ["atime"], wanted: "rw,relatime" },
    { inherited: "rw,relatime", flags: ["strictatime", "nodiratime"], wanted: "rw,strictatime,nodiratime" },
    { inherited: "rw,relatime,nodiratime", flags: [], wanted: "rw,relatime,nodiratime" },
    { inherited: "rw,nosymfollow,relatime", flags: [], wanted: "rw,nosymfollow,relatime" },
  ]) {
    test(`on ${inherited}, with ${JSON.stringify(flags)}${readOnly ? " for reading" : ""}, are ${wanted}`, () =>
      assert.equal(combined(inherited, flags, readOnly), wanted));
  }

  for (const { inherited, flags, by } of [
    {
      inherited: "ro,relatime",
      flags: [],
      by: "mounted ro on this node, against an access mode that writes",
    },
    {
      inherited: "rw,nosuid",
      flags: ["noexec", "suid"],
      by: "mounted nosuid on this node, against suid, the 2nd mount flag .*",
    },
    {
      inherited: "rw,noexec",
      flags: ["exec"],
      by: "mounted noexec on this node, against exec, the 1st mount flag .*",
    },
    {
      inherited: "rw,nodev",
      flags: ["dev"],
      by: "mounted nodev on this node, against dev, the 1st mount flag .*",
    },
  ]) {
    test(`on ${inherited} with ${JSON.stringify(flags)} would lift a restriction: refused with the remedy`, () =>
      assert.throws(() => combined(inherited, flags), {
        code: "failed-precondition",
        message: new RegExp(`^share one is ${by}: remount it without (\\w+), or ask for \\1 too$`),
      }));
  }

  for (const flag of [
    "password=x",
    "bind",
    "nfsvers=3",
    "ro=secret",
    "toString",
    "ro,secret",
    "constructor",
  ]) {
    test(`never have ${JSON.stringify(flag)}, whose text may be secret`, () =>
      assert.throws(
        () => combined("rw", ["noexec", flag]),
        (error: Error) => {
          assert.match(
            error.message,
            /the 2nd mount flag .* is none that a directory volume can have: use ro, rw, /,
          );
          assert.doesNotMatch(error.message, /password|secret|=3|toString|constructor/);
          return true;
        },
      ));
  }

  test("forbid at least what is forbidden below, whatever is asked for", () => {
    const words = ["nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime"];
    const some = fc.subarray(words);
    fc.assert(
      fc.property(some, some, fc.boolean(), (below, asked, readOnly) => {
        const inherited = kernel(["rw", ...below].join(","));
        const flags = combineFlags(inherited, { readOnly, options: optionsOfFlags(asked) }, "share one");
        assert.ok(inherited.restrictions.isSubsetOf(flags.restrictions));
        assert.equal(flags.restrictions.has("ro"), readOnly);
        // What is printed for mount(8) and read back from the kernel's table are the same flags.
        assert.ok(equalFlags(kernel(printFlags(flags)), flags));
      }),
    );
  });
});
