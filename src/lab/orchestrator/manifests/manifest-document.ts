import { isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";
import { BerthError } from "../../../core/errors.ts";

type Path = readonly (string | number)[];

/** The keys that a document may have: below each, further ones, or anything. A list's entries have its keys. */
export interface Keys {
  readonly [key: string]: Keys | "any";
}

/**
 * One document of a manifest file, read by paths such as `["spec", "replicas"]`. Every error is a
 * BerthError `invalid-argument` that names file, line, kind/name and key.
 */
export class ManifestDocument {
  readonly kind: string;
  readonly name: string;
  readonly file: string;
  readonly #root: Node;
  readonly #lines: LineCounter;

  constructor(file: string, root: Node, lines: LineCounter) {
    this.file = file;
    this.#root = root;
    this.#lines = lines;
    this.kind = this.optionalText(["kind"]) ?? "";
    this.name = this.optionalText(["metadata", "name"]) ?? "";
    if (this.kind === "")
      throw this.error([], "has no kind", "a Kubernetes object has apiVersion, kind and metadata");
    if (this.name === "") throw this.error(["metadata"], "has no name", "give metadata.name");
  }

  get namespace(): string {
    return this.optionalText(["metadata", "namespace"]) ?? "default";
  }

  text(path: Path, remedy: string): string {
    const value = this.optionalText(path);
    if (value === undefined || value === "") throw this.error(path, "is missing", remedy);
    return value;
  }

  /** A scalar as text. */
  optionalText(path: Path): string | undefined {
    const value = this.#scalar(path);
    return value === undefined ? undefined : String(value);
  }

  oneOf<T extends string>(path: Path, allowed: readonly T[], otherwise: T): T {
    const value = this.optionalText(path) ?? otherwise;
    const found = allowed.find((each) => each === value);
    if (found === undefined)
      throw this.error(path, `is ${JSON.stringify(value)}`, `use one of ${allowed.join(", ")}`);
    return found;
  }

  boolean(path: Path, otherwise: boolean): boolean {
    const value = this.#scalar(path) ?? otherwise;
    if (typeof value !== "boolean")
      throw this.error(path, `is ${JSON.stringify(value)}`, "use true or false");
    return value;
  }

  count(path: Path, otherwise: number): number {
    const value = this.#scalar(path) ?? otherwise;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw this.error(path, `is ${JSON.stringify(value)}`, "use a whole number of 0 or more");
  }

  /** How many entries a list has; 0 when it is not there. */
  length(path: Path): number {
    const node = this.#find(path);
    if (node === undefined) return 0;
    if (!isSeq(node)) throw this.error(path, "is no list", "write one entry a line, each with a leading '-'");
    return node.items.length;
  }

  texts(path: Path): string[] {
    return Array.from({ length: this.length(path) }, (_, index) =>
      this.text([...path, index], "write a text"),
    );
  }

  /** A map of texts, as parameters are: Kubernetes refuses numbers and booleans there, so do we. */
  map(path: Path): Record<string, string> {
    const node = this.#find(path);
    if (node === undefined) return {};
    if (!isMap(node)) throw this.error(path, "is no map", "write one 'key: value' a line");
    const entries = node.items.map(({ key }) => String(isScalar(key) ? key.value : key));
    return Object.fromEntries(entries.map((key) => [key, this.#mapText([...path, key])]));
  }

  /** Whether anything stands at a path. */
  has(path: Path): boolean {
    return this.#find(path) !== undefined;
  }

  isMap(path: Path): boolean {
    return isMap(this.#find(path));
  }

  /** `file:line` of what stands at a path. */
  where(path: Path): string {
    return `${this.file}:${this.#line(path)}`;
  }

  /** The keys of a map, in their order. */
  keysOf(path: Path): string[] {
    const node = this.#find(path);
    if (!isMap(node)) throw this.error(path, "is no map", "write one 'key: value' a line");
    return node.items.map(({ key }) => String(isScalar(key) ? key.value : key));
  }

  /** @throws BerthError for the first key that is not known, by its name and line */
  refuseUnknownKeys(known: Keys, path: Path = []): void {
    const node = this.#find(path);
    if (isSeq(node)) {
      for (const index of node.items.keys()) this.refuseUnknownKeys(known, [...path, index]);
    }
    if (!isMap(node)) return;
    for (const key of this.keysOf(path)) {
      const below = Object.hasOwn(known, key) ? known[key] : undefined;
      if (below === undefined) {
        const names = Object.keys(known).join(", ");
        throw this.error([...path, key], "is not known to the lab", `use ${names}`);
      }
      if (below !== "any") this.refuseUnknownKeys(below, [...path, key]);
    }
  }

  error(path: Path, cause: string, remedy: string): BerthError {
    const what = `${this.kind || "a document"}${this.name === "" ? "" : `/${this.name}`}`;
    return new BerthError(
      "invalid-argument",
      `${this.where(path)}: ${what}: ${[printPath(path), cause].join(" ").trim()}: ${remedy}`,
    );
  }

  #mapText(path: Path): string {
    const value = this.#scalar(path);
    if (typeof value !== "string")
      throw this.error(path, `is ${JSON.stringify(value)}`, "put the value in quotes");
    return value;
  }

  #scalar(path: Path): unknown {
    const node = this.#find(path);
    if (node === undefined) return undefined;
    if (!isScalar(node)) throw this.error(path, "is a list or map", "write a single value");
    return node.value ?? undefined;
  }

  #find(path: Path): Node | undefined {
    let node: unknown = this.#root;
    for (const key of path) node = isMap(node) || isSeq(node) ? node.get(key, true) : undefined;
    return isScalar(node) || isMap(node) || isSeq(node) ? node : undefined;
  }

  /** The line of a key, or of the nearest thing above it that is there. */
  #line(path: Path): number {
    for (let depth = path.length; depth >= 0; depth -= 1) {
      const offset = this.#find(path.slice(0, depth))?.range?.[0];
      if (offset !== undefined) return this.#lines.linePos(offset).line;
    }
    return 1;
  }
}

/** The documents of a file, empty ones left out. @throws BerthError `invalid-argument` for what is no YAML */
export function parseManifest(file: string, source: string): ManifestDocument[] {
  const lines = new LineCounter();
  const found: ManifestDocument[] = [];
  for (const document of parseAllDocuments(source, { lineCounter: lines })) {
    const [problem] = document.errors;
    if (problem !== undefined) {
      const { line } = lines.linePos(problem.pos[0]);
      throw new BerthError(
        "invalid-argument",
        `${file}:${line}: no valid YAML: ${problem.message.split("\n", 1)[0]}`,
      );
    }
    if (document.contents !== null) found.push(new ManifestDocument(file, document.contents, lines));
  }
  return found;
}

function printPath(path: Path): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`))
    .join("")
    .slice(1);
}
