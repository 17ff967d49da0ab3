/** The layers of docs/architecture.md, enforced: who may import whom, and who may touch the machine. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";

const root = join(import.meta.dirname, "..");

/**
 * What each folder of src/ may import: folders, or single files of one. Packages and Node's modules
 * that only some may use stand below.
 */
const layers: Readonly<Record<string, readonly string[]>> = {
  core: [],
  gen: [],
  xdr: ["core"],
  rpc: ["xdr", "core"],
  nfs: ["rpc", "xdr", "core"],
  share: ["nfs", "core"],
  volumes: ["share/share.ts", "share/share-path.ts", "share/steps.ts", "core"],
  placement: ["volumes", "share", "core"],
  node: ["share", "core"],
  csi: ["volumes", "placement/placement.ts", "node", "gen", "core"],
  lab: ["gen", "core"],
  observe: ["core"],
  cli: [
    ...["core", "gen", "xdr", "rpc", "nfs", "share", "volumes", "placement", "node", "csi", "lab", "observe"],
    "../package.json",
  ],
};

/** Folders that reach storage and processes only through what their constructors get. */
const withoutMachine = ["csi", "volumes", "placement"];
/** A server needs a socket. */
const withSockets = ["src/csi/listener.ts", "src/csi/unix-socket.ts"];
const machineModules = /^node:(fs|fs\/promises|child_process|net|http2?|https|dgram|worker_threads)$/;

/** Only the command line reads the environment and ends the process. */
const environment = /\bprocess\s*\.\s*(env|exit|exitCode|argv|abort|kill)\b|from "node:process"/;
/** A guest is a process of the lab's own, which it stops and kills. */
const withGuests = ["src/lab/guest/guest.ts", "src/lab/guest/process.ts"];

const sources = globSync("src/**/*.ts", { cwd: root }).filter((file) => !file.endsWith(".test.ts"));

test("every folder of src/ is a layer", () => {
  const folders = new Set(sources.map(layerOf));
  assert.deepEqual(
    [...folders].filter((folder) => !Object.hasOwn(layers, folder)),
    [],
  );
});

describe("a layer imports only what stands above it", () => {
  for (const file of sources) test(file, () => assert.deepEqual(forbiddenImports(file), []));
});

test("no file imports itself by way of others, not for a type either", () => {
  assert.deepEqual(circles(sources), []);
});

test("csi, volumes and placement touch neither files, processes nor sockets", () => {
  const offenders = sources.filter(
    (file) =>
      withoutMachine.includes(layerOf(file)) &&
      !withSockets.includes(file) &&
      importsOf(read(file)).some((specifier) => machineModules.test(specifier)),
  );
  assert.deepEqual(offenders, []);
});

test("only cli reads the environment and ends the process", () => {
  const offenders = sources.filter(
    (file) =>
      layerOf(file) !== "cli" && !withGuests.includes(file) && environment.test(withoutComments(read(file))),
  );
  assert.deepEqual(offenders, []);
});

describe("the reader of imports", () => {
  for (const { title, text, found } of [
    { title: "sees an import", text: 'import { a } from "./a.ts";', found: ["./a.ts"] },
    { title: "sees an import for types", text: 'import type { A } from "./a.ts";', found: ["./a.ts"] },
    {
      title: "sees an import over several lines",
      text: 'import {\n  a,\n  b,\n} from "./a.ts";',
      found: ["./a.ts"],
    },
    { title: "sees an import for effects", text: 'import "./a.ts";', found: ["./a.ts"] },
    { title: "sees an export from", text: 'export * from "./a.ts";', found: ["./a.ts"] },
    { title: "sees an import at run time", text: 'await import("./a.ts");', found: ["./a.ts"] },
    { title: "sees no import in a comment", text: '// import "./a.ts";\n/* from "./b.ts" */', found: [] },
  ]) {
    test(title, () => assert.deepEqual(importsOf(text), found));
  }
});

function forbiddenImports(file: string): string[] {
  const layer = layerOf(file);
  const allowed = layers[layer] ?? [];
  return importsOf(read(file))
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => relative(join(root, "src"), join(root, dirname(file), specifier)))
    .filter((target) => {
      const [folder = ""] = target.split("/");
      return folder !== layer && !allowed.includes(folder) && !allowed.includes(target);
    });
}

/** The circles of imports that a walk from each file meets, each from its first file back to it. */
function circles(files: readonly string[]): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start !== -1) found.push([...path.slice(start), file].join(" > "));
    if (start !== -1 || done.has(file)) return;
    for (const target of targetsOf(file)) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  return found;
}

/** The files of src/ that a file imports. */
function targetsOf(file: string): string[] {
  return importsOf(read(file))
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => join(dirname(file), specifier))
    .filter((target) => target.startsWith("src/"));
}

/** What a file imports, types too. Biome formats each import so that its first word begins a line. */
function importsOf(text: string): string[] {
  const withFrom = /^\s*(?:import|export)\b[^"';]*?\bfrom\s+"([^"]+)"/gm;
  const forEffect = /^\s*import\s+"([^"]+)"/gm;
  const atRunTime = /\bimport\(\s*"([^"]+)"/g;
  const bare = withoutComments(text);
  return [withFrom, forEffect, atRunTime].flatMap((pattern) =>
    [...bare.matchAll(pattern)].map(([, specifier = ""]) => specifier),
  );
}

function layerOf(file: string): string {
  return file.split("/")[1] ?? "";
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** Comments may speak of anything. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
}
