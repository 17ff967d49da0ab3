import { readFileSync } from "node:fs";
import { posix } from "node:path";
import * as v from "valibot";
import { parseDurationMs } from "../core/duration.ts";
import { BerthError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { parseYaml } from "./yaml-source.ts";

/** The configuration file, checked; what it left out has its default. */
export interface Config {
  /** Whose volumes these are: several clusters may share one directory. */
  readonly cluster: string;
  readonly directories: readonly DirectoryConfig[];
  readonly reaper: ReaperConfig;
}

/** A local directory that holds volumes; a StorageClass names it. */
export interface DirectoryConfig {
  readonly name: string;
  /** Absolute, without `.`, `..` or a slash at the end. */
  readonly path: string;
  readonly trashRetentionMs: number;
}

export interface ReaperConfig {
  /** Between the end of one sweep of the trash and the next. */
  readonly intervalMs: number;
  readonly entriesPerSecondMax: number;
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
});

const reaper = v.strictObject({
  interval: v.optional(duration(1000, "1s"), "1m"),
  entriesPerSecondMax: v.optional(
    v.pipe(v.number(), v.integer("write a whole number"), v.minValue(1, "write at least 1")),
    10_000,
  ),
});

const schema = v.strictObject({
  cluster: v.optional(name, "default"),
  directories: v.optional(v.array(directory), []),
  reaper: v.optional(reaper, {}),
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
  const { cluster, directories, reaper } = source.value;
  for (const [index, { name, path }] of directories.entries()) {
    const earlier = directories.slice(0, index);
    const namesake = earlier.find((other) => other.name === name);
    if (namesake) {
      throw source.errorAt(
        ["directories", index, "name"],
        `${name} names ${namesake.path} too: choose another`,
      );
    }
    const overlap = earlier.find((other) => contains(other.path, path) || contains(path, other.path));
    if (overlap) {
      const problem = `${path} and ${overlap.path} of ${overlap.name} overlap: one's volumes would lie in the other; choose another`;
      throw source.errorAt(["directories", index, "path"], problem);
    }
  }
  return {
    cluster,
    directories: directories.map(({ name, path, trashRetention }) => ({
      name,
      path,
      trashRetentionMs: trashRetention,
    })),
    reaper: { intervalMs: reaper.interval, entriesPerSecondMax: reaper.entriesPerSecondMax },
  };
}

function contains(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(`${outer}/`);
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
