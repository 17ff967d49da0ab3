import { systemClock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { randomNonce } from "../core/nonce.ts";
import { type ConfiguredDirectory, DirectoryPlacement } from "../placement/directory.ts";
import { DirectoryShare } from "../share/directory-share.ts";
import type { ShareContext } from "../volumes/context.ts";
import { layoutPaths } from "../volumes/layout.ts";
import { Reaper, reaperDefaults } from "../volumes/reaper.ts";
import type { Owner } from "../volumes/record.ts";
import { ShareVolumes } from "../volumes/share-volumes.ts";
import type { Config, DirectoryConfig, ReaperConfig } from "./config.ts";

/** The configuration's directories, as shares in use. */
export interface OpenDirectories {
  readonly placement: DirectoryPlacement;
  /** Empties their trash until the signal fires. */
  reap(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Opens nothing yet: a directory that is missing fails the calls that need it, and no others. */
export function openDirectories(config: Config, owner: Owner, log: Log): OpenDirectories {
  const opened = config.directories.map((directory) => openDirectory(directory, owner));
  const contexts = opened.map(({ context }) => context);
  return {
    placement: new DirectoryPlacement(opened.map(({ directory }) => directory)),
    async reap(signal) {
      await Promise.all(contexts.map((context) => reaperOf(context, config.reaper, log).run(signal)));
    },
    async close() {
      await Promise.all(contexts.map(({ share }) => share.close()));
    },
  };
}

interface OpenedDirectory {
  readonly directory: ConfiguredDirectory;
  readonly context: ShareContext;
}

function openDirectory({ name, path, trashRetentionMs }: DirectoryConfig, owner: Owner): OpenedDirectory {
  const share = new DirectoryShare({ name, path, kept: layoutPaths, clock: systemClock });
  const context = { share, owner, clock: systemClock, newNonce: randomNonce };
  return { directory: { name, volumes: new ShareVolumes(context), trashRetentionMs }, context };
}

function reaperOf(
  context: ShareContext,
  { intervalMs, entriesPerSecondMax }: ReaperConfig,
  log: Log,
): Reaper {
  return new Reaper(context, { ...reaperDefaults, intervalMs, entriesPerSecondMax }, log);
}
