import { readFileSync } from "node:fs";
import { BerthError } from "../../core/errors.ts";
import type { NfsVersion, SourcePort } from "../../nfs/index.ts";
import { nfsLimits } from "../../nfs/limits.ts";
import { type ExportLocation, printLocation } from "../../share/export-location.ts";
import type { OvercommitRule } from "../../volumes/overcommit.ts";
import type { UsagePace } from "../../volumes/usage/usage-plan.ts";
import { configSchema } from "./config-schema.ts";
import { refuseNamesakes, refuseOverlaps, refuseUnknownExports } from "./conflicts.ts";
import { parseYaml } from "./yaml-source.ts";

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

/** What holds without a configuration file. */
export const defaultConfig: Config = parseConfig("", "the built-in configuration");

/** @throws BerthError `invalid-argument` with every mistake of the file, one a line */
export function readConfig(file: string): Config {
  return parseConfig(readConfigText(file), file);
}

/** @param file how messages name the text */
export function parseConfig(text: string, file: string): Config {
  const source = parseYaml(configSchema, text, file);
  const { cluster, directories, exports, reaper, usage, ephemeral } = source.value;
  const { interval, ...pace } = usage;
  refuseNamesakes(source, "directories", directories, ({ path }) => path);
  refuseNamesakes(source, "exports", exports, printLocation);
  refuseOverlaps(source, "directories", directories, ({ path }) => path);
  refuseOverlaps(source, "exports", exports, whereOf);
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
    usage: { ...pace, intervalMs: interval },
  };
}

/** Two servers may share an address. */
function whereOf({
  port = nfsLimits.port,
  ...location
}: ExportLocation & { readonly port?: number }): string {
  const where = printLocation(location);
  return port === nfsLimits.port ? where : `port ${port} of ${where}`;
}

/** @throws BerthError `invalid-argument` for a file that cannot be read */
export function readConfigText(file: string): string {
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
