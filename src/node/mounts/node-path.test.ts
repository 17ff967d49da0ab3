import assert from "node:assert/strict";
import { posix } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { childOf, nameOf, parentOf, parseNodePath } from "./node-path.ts";

describe("a path on the node", () => {
  for (const [text, path] of [
    ["/a/b", "/a/b"],
    ["/a//b///c/", "/a/b/c"],
    ["/", "/"],
    ["//", "/"],
    ["/a/..b/.c/d..", "/a/..b/.c/d.."],
    ["/with blank/ü🚢", "/with blank/ü🚢"],
    [`/${"x".repeat(4094)}`, `/${"x".repeat(4094)}`],
  ] as const) {
    test(`${JSON.stringify(text.slice(0, 30))} is read`, () =>
      assert.equal(parseNodePath(text, "path"), path));
  }

  for (const [text, cause] of [
    ["", "is not absolute: start it with '/'"],
    ["a/b", "is not absolute: start it with '/'"],
    ["/a/../b", "has a component '.' or '..': name the directory itself"],
    ["/a/.", "has a component '.' or '..': name the directory itself"],
    ["/a\nb", "has a control character: leave it out"],
    ["/a\0b", "has a control character: leave it out"],
    ["/a\u0085b", "has a control character: leave it out"],
    [`/${"ü".repeat(2048)}`, "is longer than 4095 bytes: shorten it"],
  ] as const) {
    test(`${JSON.stringify(text.slice(0, 30))} ${cause}`, () =>
      assert.throws(
        () => parseNodePath(text, "staging path"),
        ({ code, message }: { code: string; message: string }) => {
          assert.equal(code, "invalid-argument");
          assert.ok(message.startsWith('staging path "') && message.endsWith(cause), message);
          assert.ok(message.length < 400);
          return true;
        },
      ));
  }

  test("is its parent's child, whatever it is", () => {
    const parts = fc.array(fc.stringMatching(/^[^/\p{Cc}]+$/u), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(parts, (components) => {
        fc.pre(!components.some((part) => part === "." || part === ".."));
        const path = parseNodePath(`/${components.join("//")}/`, "path");
        assert.equal(path, posix.join("/", ...components));
        assert.equal(childOf(parentOf(path), nameOf(path)), path);
        assert.equal(parseNodePath(path, "path"), path);
      }),
    );
  });
});
