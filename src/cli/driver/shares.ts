import { systemClock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { randomNonce } from "../../core/nonce.ts";
import { Placements } from "../../csi/placements.ts";
import { DirectoryPlacement } from "../../placement/directory.ts";
import { ExportPlacement, type OpenedExport } from "../../placement/export.ts";
import { DirectoryShare } from "../../share/directory-share.ts";
import { type ExportLocation, printLocation } from "../../share/export-location.ts";
import type { Share } from "../../share/share.ts";
import type { ShareContext } from "../../volumes/context.ts";
import { layoutPaths } from "../../volumes/layout.ts";
import { type OvercommitRule, unlimited } from "../../volumes/overcommit.ts";
import { Reaper, reaperDefaults } from "../../volumes/reaper.ts";
import type { Owner } from "../../volumes/record.ts";
import { ShareVolumes } from "../../volumes/share-volumes.ts";
import { UsageScanner } from "../../volumes/usage/usage-scanner.ts";
import type { Config, DirectoryConfig, ExportConfig, ReaperConfig } from "../config/config.ts";
import { exportShare } from "./export-share.ts";

/** The configuration's directories and exports, as shares in use. */
export interface OpenShares {
  readonly placements: Placements;
  /** Empties the trash of the configured ones until the signal fires. */
  reap(signal: AbortSignal): Promise<void>;
  /** Measures what the volumes of the configured exports take, until the signal fires. */
  measureUsage(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Opens nothing yet: a share that is missing fails the calls that need it, and no others. */
export function openShares(config: Config, owner: Owner, log: Log): OpenShares {
  const contextOf = (share: Share, overcommit: OvercommitRule = unlimited): ShareContext => {
    return { share, owner, clock: systemClock, newNonce: randomNonce, overcommit };
  };
  const directories = config.directories.map((directory) => {
    const context = contextOf(directoryShare(directory), directory.overcommit);
    return { context, opened: { ...directory, volumes: new ShareVolumes(context) } };
  });
  const exports = config.exports.map((each) => {
    const context = contextOf(exportShare(each.name, each, each, log), each.overcommit);
    return { context, opened: configuredExport(each, context) };
  });
  const exportPlacement = new ExportPlacement({
    exports: exports.map(({ opened }) => opened),
    open: (location) => unmanagedExport(location, contextOf, log),
  });
  const directoryPlacement = new DirectoryPlacement(directories.map(({ opened }) => opened));
  const contexts = [...directories, ...exports].map(({ context }) => context);
  return {
    placements: new Placements([directoryPlacement, exportPlacement]),
    async reap(signal) {
      await Promise.all(contexts.map((context) => reaperOf(context, config.reaper, log).run(signal)));
    },
    async measureUsage(signal) {
      if (!config.usage.enabled) return;
      await Promise.all(
        exports.map(({ context }) => new UsageScanner(context, config.usage, log).run(signal)),
      );
    },
    async close() {
      const unmanaged = exportPlacement.unmanaged.map(({ volumes }) => volumes.share);
      const shares = [...contexts.map(({ share }) => share), ...unmanaged];
      await Promise.all(shares.map((share) => share.close()));
    },
  };
}

function directoryShare({ name, path }: DirectoryConfig): Share {
  return new DirectoryShare({ name, path, kept: layoutPaths, clock: systemClock });
}

function configuredExport(
  { name, server, share, port, trashRetentionMs }: ExportConfig,
  context: ShareContext,
): OpenedExport {
  return {
    ...{ source: name, location: { server, share }, volumes: new ShareVolumes(context), trashRetentionMs },
    ...(port === undefined ? {} : { port }),
  };
}

/** Of an export that no configuration names nothing is known but where it is: the rest is found out. */
function unmanagedExport(
  location: ExportLocation,
  contextOf: (share: Share) => ShareContext,
  log: Log,
): OpenedExport {
  const source = printLocation(location);
  log.warn(
    `the export ${source} is not in the configuration: its volumes are served, but not listed, and its trash is not emptied; add it under exports`,
    { export: source },
  );
  const share = exportShare(source, location, { uid: 0, gid: 0 }, log);
  return {
    source,
    location,
    volumes: new ShareVolumes({ ...contextOf(share), unmanaged: true }),
    trashRetentionMs: 0,
  };
}

function reaperOf(
  context: ShareContext,
  { intervalMs, entriesPerSecondMax }: ReaperConfig,
  log: Log,
): Reaper {
  return new Reaper(context, { ...reaperDefaults, intervalMs, entriesPerSecondMax }, log);
}
