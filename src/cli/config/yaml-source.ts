import * as v from "valibot";
import { type Document, isMap, isNode, isSeq, LineCounter, parseDocument, type YAMLError } from "yaml";
import { BerthError } from "../../core/errors.ts";
import { nearest } from "./near.ts";

type Path = readonly (string | number)[];
type Schema = v.GenericSchema;

/** A checked value that remembers where each part of it stands in its file. */
export interface YamlSource<T> {
  readonly value: T;
  /** The error for what only a look at the whole value shows. @param problem cause and remedy */
  errorAt(path: Path, problem: string): BerthError;
}

/**
 * Parses one YAML document and checks it.
 * @throws BerthError `invalid-argument` with every mistake, one a line: file, line, key, cause, remedy
 */
export function parseYaml<S extends Schema>(
  schema: S,
  text: string,
  file: string,
): YamlSource<v.InferOutput<S>> {
  refuseBinary(text, file);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const errorOf = (problems: string[]) => new BerthError("invalid-argument", problems.join("\n"));
  const at = (offset: number) => `${file}:${lines.linePos(offset).line}`;
  const describe = (path: Path, problem: string) =>
    [at(offsetOf(document, path)), ...(path.length > 0 ? [printPath(path)] : []), problem].join(": ");

  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0)
    throw errorOf(broken.map((error) => `${at(error.pos[0])}: ${syntaxProblem(error, text)}`));
  if (isSeq(document.contents)) throw errorOf([`${at(0)}: the file is a list: write ${kinds.get("Object")}`]);
  const result = v.safeParse(schema, toValue(document, file), { abortPipeEarly: true });
  if (!result.success) {
    throw errorOf(result.issues.map((issue) => describe(pathOf(issue), problemOf(schema, issue))));
  }
  return { value: result.output, errorAt: (path, problem) => errorOf([describe(path, problem)]) };
}

/** Messages quote keys and values: a terminal would obey what is in another kind of file. */
function refuseBinary(text: string, file: string): void {
  const at = text.search(/[[\p{Cc}\ufffd]--[\t\n\r\x85]]/v);
  if (at < 0) return;
  const line = text.slice(0, at).split("\n").length;
  throw new BerthError(
    "invalid-argument",
    `${file}:${line}: has bytes that are no text in UTF-8, or a control character: give a YAML file`,
  );
}

function syntaxProblem(error: YAMLError, text: string): string {
  if (error.code === "DUPLICATE_KEY") {
    const [key = ""] = /^[^:\n]{0,100}/.exec(text.slice(error.pos[0])) ?? [];
    return `${key.trim()}: stands here twice: keep one`;
  }
  return error.code === "MULTIPLE_DOCS" ? "a second document begins here: keep one" : error.message;
}

/** An empty file says nothing, and everything has its default. */
function toValue(document: Document, file: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch (cause) {
    // Aliases that would grow the value a hundredfold.
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BerthError("invalid-argument", `${file}: ${reason}: write it without aliases`, { cause });
  }
}

function pathOf(issue: v.BaseIssue<unknown>): (string | number)[] {
  return (issue.path ?? []).map(({ key }) => (typeof key === "number" ? key : String(key)));
}

/** `directories[0].path` */
function printPath(path: Path): string {
  return path
    .map((key, index) => (typeof key === "number" ? `[${key}]` : `${index > 0 ? "." : ""}${key}`))
    .join("");
}

/** Where the value at a path begins; the key, for what should not be there; the parent, for what is missing. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1), true);
    const key = isMap(parent)
      ? parent.items.find((pair) => String(pair.key) === path[length - 1])?.key
      : undefined;
    const node = isNode(key) ? key : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

function problemOf(schema: Schema, issue: v.BaseIssue<unknown>): string {
  if (issue.expected === "Object") return kindProblem(issue);
  if (issue.type === "strict_object") return keyProblem(schema, issue);
  if (issue.kind !== "schema") return `is ${issue.received}: ${issue.message}`;
  return kindProblem(issue);
}

/** What valibot expects, in the words of YAML. */
const kinds: ReadonlyMap<string | null, string> = new Map([
  ["string", 'a text (in quotes if it looks like a number: "5")'],
  ["number", "a number"],
  ["Array", 'a list, each entry after "- "'],
  ["Object", 'a mapping of lines "key: value"'],
]);

function kindProblem(issue: v.BaseIssue<unknown>): string {
  return `is ${issue.received}: write ${kinds.get(issue.expected) ?? issue.expected}`;
}

function keyProblem(schema: Schema, issue: v.BaseIssue<unknown>): string {
  const path = pathOf(issue);
  if (issue.expected !== "never") return "is missing: add it";
  const known = keysAt(schema, path.slice(0, -1));
  const meant = nearest(String(path.at(-1)), known);
  return `is no known key: ${meant === undefined ? `known are ${known.join(", ")}` : `did you mean ${meant}?`}`;
}

/** The keys that a schema knows at a path. */
function keysAt(schema: unknown, path: Path): string[] {
  const inner = unwrap(schema);
  const [key, ...rest] = path;
  if (key === undefined) return Object.keys(entriesOf(inner));
  if (typeof key === "number") return keysAt(field(inner, "item"), rest);
  return keysAt(entriesOf(inner)[key], rest);
}

/** What stands inside `optional(…)`. */
function unwrap(schema: unknown): unknown {
  const wrapped = field(schema, "wrapped");
  return wrapped === undefined ? schema : unwrap(wrapped);
}

function entriesOf(schema: unknown): Record<string, unknown> {
  return Object(field(schema, "entries"));
}

function field(of: unknown, key: string): unknown {
  return Object(of)[key];
}
