import { readFileSync } from "node:fs";
import { posix } from "node:path";
import * as v from "valibot";
import { parseDurationMs } from "../core/duration.ts";
import { BerthError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { NfsVersion, SourcePort } from "../nfs/index.ts";
import { classLayer, mergeOptions } from "../node/nfs/nfs-options.ts";
import {
  type ExportLocation,
  printLocation,
  serverProblem,
  sharePathProblem,
} from "../share/export-location.ts";
import { type OvercommitRule, overcommitProblem, parseOvercommit } from "../volumes/overcommit.ts";
import { type UsagePace, usagePaceDefaults } from "../volumes/usage/usage-plan.ts";
import { parseYaml, type YamlSource } from "./yaml-source.ts";

/** The configuration file, checked; what it left out has its default. */
export interface Config {
  /** Whose volumes these are: several clusters may share one directory. */
  readonly cluster: string;
  readonly directories: readonly DirectoryConfig[];
  readonly exports: readonly ExportConfig[];
  readonly reaper: ReaperConfig;
  readonly usage: UsageConfig;
  /** Inline volumes of pods: on these exports, and nowhere if there are none. */
  readonly ephemeral: { readonly exports: readonly string[] };
}

/** A local directory that holds volumes; a StorageClass names it. */
export interface DirectoryConfig {
  readonly name: string;
  /** Absolute, without `.`, `..` or a slash at the end. */
  readonly path: string;
  readonly trashRetentionMs: number;
  /** How often its capacity may be promised, for classes that do not say. */
  readonly overcommit: OvercommitRule;
}

/** An NFS export that holds volumes; a StorageClass names it. */
export interface ExportConfig extends ExportLocation, ExportAccess {
  readonly name: string;
  readonly trashRetentionMs: number;
  /** For the mounts of all its volumes, under those of the class and the PersistentVolume. */
  readonly mountOptions?: string;
  /** How often its capacity may be promised, for classes that do not say. */
  readonly overcommit: OvercommitRule;
}

/** How an export is spoken to, by the controller and by each node. What is left out is found out. */
export interface ExportAccess {
  readonly nfsVersion?: NfsVersion;
  readonly port?: number;
  readonly mountPort?: number;
  readonly sourcePort?: SourcePort;
  /** Whom Berth acts as; volumes may belong to others. */
  readonly uid: number;
  readonly gid: number;
  readonly tls?: { readonly caFile?: string; readonly serverName?: string };
}

export interface ReaperConfig {
  /** Between the end of one sweep of the trash and the next. */
  readonly intervalMs: number;
  readonly entriesPerSecondMax: number;
}

/** How the controller measures what each volume of a configured export takes. */
export interface UsageConfig extends UsagePace {
  readonly enabled: boolean;
}

const name = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9-]{1,63}$/, 'write 1 to 63 of the characters a-z, 0-9 and "-"'),
);

/** Milliseconds. @param leastMs shorter ones are refused */
function duration(leastMs: number, leastText: string) {
  const help = `write a number and a unit, at least ${leastText}: 30s, 10m, 24h or 7d`;
  return v.pipe(
    v.string(),
    v.check((text) => (durationMs(text) ?? -1) >= leastMs, help),
    v.transform(parseDurationMs),
  );
}

function durationMs(text: string): number | undefined {
  try {
    return parseDurationMs(text);
  } catch {
    return undefined; // no duration
  }
}

const absolutePath = v.pipe(
  v.string(),
  v.check((path) => path.startsWith("/"), "write an absolute path, such as /srv/volumes"),
  v.check((path) => path !== "/", "choose a directory below /, such as /srv/volumes"),
  v.check((path) => posix.resolve(path) === path, 'write it without "." and "..", "//" and a "/" at the end'),
  v.check((path) => !path.includes("\0"), "leave out the NUL"),
  v.check((path) => Buffer.byteLength(path) <= limits.pathBytesMax, "shorten it to 4095 bytes"),
);

const directory = v.strictObject({
  name,
  path: absolutePath,
  trashRetention: v.optional(duration(0, "0"), "0"),
  overcommit: v.optional(v.pipe(checked(overcommitProblem), v.transform(parseOvercommit)), "unlimited"),
});

const numericId = v.pipe(
  v.number("write a number"),
  v.integer("write a whole number"),
  v.minValue(0, "write 0 or more"),
  v.maxValue(2 ** 32 - 2, "write at most 4294967294"),
);

const port = v.pipe(
  v.number("write a number"),
  v.integer("write a whole number"),
  v.minValue(1, "write 1 to 65535"),
  v.maxValue(65_535, "write 1 to 65535"),
);

const nfsExport = v.strictObject({
  name,
  server: checked(serverProblem),
  share: checked(sharePathProblem),
  nfsVersion: v.exactOptional(v.picklist(["3", "4.1", "4.2"], 'write "3", "4.1" or "4.2", in quotes')),
  port: v.exactOptional(port),
  mountPort: v.exactOptional(port),
  sourcePort: v.exactOptional(v.picklist(["any", "reserved", "auto"], "write any, reserved or auto")),
  uid: v.optional(numericId, 0),
  gid: v.optional(numericId, 0),
  tls: v.exactOptional(
    v.strictObject({
      caFile: v.exactOptional(absolutePath),
      serverName: v.exactOptional(checked(serverProblem)),
    }),
  ),
  mountOptions: v.exactOptional(checked(mountOptionsProblem)),
  trashRetention: v.optional(duration(0, "0"), "0"),
  overcommit: v.optional(v.pipe(checked(overcommitProblem), v.transform(parseOvercommit)), "unlimited"),
});

function mountOptionsProblem(text: string): string | undefined {
  try {
    mergeOptions([classLayer(text)]);
    return undefined;
  } catch (reason) {
    return BerthError.from(reason).message;
  }
}

/** A text in which `problemOf` finds no problem. */
function checked(problemOf: (text: string) => string | undefined) {
  return v.pipe(
    v.string(),
    v.rawCheck(({ dataset, addIssue }) => {
      const message = dataset.typed ? problemOf(dataset.value) : undefined;
      if (message !== undefined) addIssue({ message });
    }),
  );
}

const reaper = v.strictObject({
  interval: v.optional(duration(1000, "1s"), "1m"),
  entriesPerSecondMax: v.optional(
    v.pipe(v.number(), v.integer("write a whole number"), v.minValue(1, "write at least 1")),
    10_000,
  ),
});

const usage = v.strictObject({
  enabled: v.optional(v.boolean("write true or false"), true),
  interval: v.optional(duration(60_000, "1m"), "1h"),
  entriesPerSecondMax: v.optional(
    v.pipe(v.number(), v.integer("write a whole number"), v.minValue(1, "write at least 1")),
    usagePaceDefaults.entriesPerSecondMax,
  ),
  timeShareMax: v.optional(
    v.pipe(
      v.number(),
      v.minValue(0.01, "write 0.01 to 1, the part of all time that may go into measuring"),
      v.maxValue(1, "write 0.01 to 1, the part of all time that may go into measuring"),
    ),
    usagePaceDefaults.timeShareMax,
  ),
});

const schema = v.strictObject({
  cluster: v.optional(name, "default"),
  directories: v.optional(v.array(directory), []),
  exports: v.optional(v.array(nfsExport), []),
  reaper: v.optional(reaper, {}),
  usage: v.optional(usage, {}),
  ephemeral: v.optional(v.strictObject({ exports: v.optional(v.array(name), []) }), {}),
});

/** What holds without a configuration file. */
export const defaultConfig: Config = parseConfig("", "the built-in configuration");

/** @throws BerthError `invalid-argument` with every mistake of the file, one a line */
export function readConfig(file: string): Config {
  return parseConfig(readText(file), file);
}

/** @param file how messages name the text */
export function parseConfig(text: string, file: string): Config {
  const source = parseYaml(schema, text, file);
  const { cluster, directories, exports, reaper, usage, ephemeral } = source.value;
  refuseNamesakes(source, "directories", directories, ({ path }) => path);
  refuseNamesakes(source, "exports", exports, printLocation);
  refuseOverlaps(source, "directories", directories, ({ path }) => path);
  refuseOverlaps(source, "exports", exports, ({ server, share }) => `${server}:${share}`);
  refuseUnknownExports(source, ephemeral.exports, exports);
  return {
    cluster,
    ephemeral,
    directories: directories.map(({ trashRetention, ...rest }) => ({
      ...rest,
      trashRetentionMs: trashRetention,
    })),
    exports: exports.map(({ trashRetention, ...rest }) => ({ ...rest, trashRetentionMs: trashRetention })),
    reaper: { intervalMs: reaper.interval, entriesPerSecondMax: reaper.entriesPerSecondMax },
    usage: usageOf(usage),
  };
}

function usageOf({ interval, ...rest }: v.InferOutput<typeof usage>): UsageConfig {
  return { ...rest, intervalMs: interval };
}

type Named = { readonly name: string };

function refuseNamesakes<T extends Named>(
  source: YamlSource<unknown>,
  key: string,
  shares: readonly T[],
  whereOf: (share: T) => string,
): void {
  for (const [index, share] of shares.entries()) {
    const namesake = shares.slice(0, index).find(({ name }) => name === share.name);
    if (namesake === undefined) continue;
    throw source.errorAt(
      [key, index, "name"],
      `${share.name} names ${whereOf(namesake)} too: choose another`,
    );
  }
}

function refuseUnknownExports(
  source: YamlSource<unknown>,
  named: readonly string[],
  exports: readonly Named[],
): void {
  const known = exports.map(({ name }) => name);
  const index = named.findIndex((each) => !known.includes(each));
  if (index < 0) return;
  const problem = `${named[index]} is no export of this file: name one of ${known.join(", ") || "those under exports"}`;
  throw source.errorAt(["ephemeral", "exports", index], problem);
}

/** Two shares of which one lies in the other would hold each other's volumes. */
function refuseOverlaps<T extends Named>(
  source: YamlSource<unknown>,
  key: string,
  shares: readonly T[],
  whereOf: (share: T) => string,
): void {
  for (const [index, share] of shares.entries()) {
    const where = whereOf(share);
    const overlap = shares
      .slice(0, index)
      .find((other) => contains(whereOf(other), where) || contains(where, whereOf(other)));
    if (overlap === undefined) continue;
    const problem = `${where} and ${whereOf(overlap)} of ${overlap.name} overlap: one's volumes would lie in the other; choose another`;
    throw source.errorAt([key, index, key === "directories" ? "path" : "share"], problem);
  }
}

function contains(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith("/") ? outer : `${outer}/`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BerthError(
      "invalid-argument",
      `cannot read the configuration ${file} (${reason}): give --config a readable YAML file`,
      { cause },
    );
  }
}
