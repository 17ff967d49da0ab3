import assert from "node:assert/strict";
import { test } from "node:test";
import { BerthError } from "../core/errors.ts";
import type { Log, LogFields } from "../core/log.ts";
import { createLog, type LogFormat, type LogLevel } from "./log.ts";

function logged(
  format: LogFormat,
  say: (log: Log) => void,
  level: LogLevel = "info",
  colour = false,
): string {
  const lines: string[] = [];
  say(createLog({ level, format, colour, destination: { write: (line) => lines.push(line) } }));
  return lines.join("");
}

function loggedJson(fields: LogFields): Record<string, unknown> {
  const { time, ...rest } = JSON.parse(logged("json", (log) => log.info("hello", fields)));
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  return rest;
}

test("a JSON line has level, time, message and fields", () => {
  const fields = { volumeId: "directory/bind/a/b", ms: 3, gone: undefined };
  assert.deepEqual(loggedJson(fields), {
    level: "info",
    msg: "hello",
    volumeId: "directory/bind/a/b",
    ms: 3,
  });
});

test("a bigint is a number while JSON can carry it, and text beyond", () => {
  const { small, large, low } = loggedJson({ small: 10n, large: 2n ** 60n, low: -(2n ** 60n) });
  assert.deepEqual([small, large, low], [10, (2n ** 60n).toString(), (-(2n ** 60n)).toString()]);
});

test("an error is its message, code and causes, without what hangs on it", () => {
  const cause = Object.assign(new Error("ENOENT"), { code: "ENOENT", request: { password: "hunter2" } });
  const error = new BerthError("internal", "an unexpected error", { cause });
  const line = logged("json", (log) => log.error("failed", { error }));
  assert.doesNotMatch(line, /hunter2/);
  const { stack, ...logged_ } = JSON.parse(line).error.cause;
  assert.match(stack, /log\.test\.ts/);
  assert.deepEqual(logged_, { code: "ENOENT", message: "ENOENT" });
});

test("an error that is its own cause ends", () => {
  const error = new Error("loop");
  error.cause = error;
  assert.match(
    logged("json", (log) => log.error("failed", { error })),
    /loop/,
  );
});

test("a text line names time, level, message and fields", () => {
  const line = logged("text", (log) =>
    log.warn("Successfully mounted /data", { volumeId: "a/b", why: "two words" }),
  );
  assert.match(line, /^\[\d{4}-[^ ]+Z\] WARN: Successfully mounted \/data volumeId=a\/b why="two words"\n$/);
});

test("a text line shows the stack of an unforeseen error only", () => {
  const foreseen = new BerthError("not-found", "no volume a: create it");
  assert.match(
    logged("text", (log) => log.error("failed", { error: foreseen })),
    /ERROR: failed error="no volume a: create it"\n$/,
  );
  const unforeseen = BerthError.from(new TypeError("x is not a function"));
  assert.match(
    logged("text", (log) => log.error("failed", { error: unforeseen })),
    /an unexpected error: x is not a function"\n {4}TypeError: x is not a function\n {4,}at /,
  );
});

test("a line break in a message does not begin a new line", () => {
  assert.equal(
    logged("text", (log) => log.info("a\n[2026] INFO: b\u001b[2J", { id: "\u001b[2J" })).slice(26),
    ` INFO: a [2026] INFO: b [2J id="\\u001b[2J"\n`,
  );
});

test("only a terminal gets colours", () => {
  const colourStart = "\u001b[";
  assert.ok(!logged("text", (log) => log.info("hello")).includes(colourStart));
  assert.ok(logged("text", (log) => log.info("hello"), "info", true).includes(colourStart));
});

test("lines below the level are not written", () => {
  const say = (log: Log) => {
    log.debug("1");
    log.info("2");
    log.warn("3");
    log.error("4");
  };
  assert.deepEqual(
    logged("json", say, "warn")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).msg),
    ["3", "4"],
  );
});
