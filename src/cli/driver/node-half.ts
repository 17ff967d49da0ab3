import { Effects } from "../../core/call.ts";
import { systemClock } from "../../core/clock.ts";
import { BerthError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { nodeService } from "../../csi/node.ts";
import { EphemeralRecords } from "../../node/ephemeral/ephemeral-records.ts";
import { EphemeralVolumes } from "../../node/ephemeral/ephemeral-volumes.ts";
import { Helpers } from "../../node/helpers/helpers.ts";
import { mountLooker } from "../../node/mounts/mount-looker.ts";
import { MountWork } from "../../node/mounts/mount-work.ts";
import { NodeVolumes } from "../../node/node-volumes.ts";
import { volumeSize } from "../../node/stats/volume-size.ts";
import { VolumeStats } from "../../node/stats/volume-stats.ts";
import type { KnownExport, KnownShares } from "../../node/volume-source.ts";
import type { Config, ExportConfig } from "../config/config.ts";
import type { NodeOptions } from "../options.ts";
import { NodeShares } from "./ephemeral-shares.ts";
import { ExportVolumes } from "./export-volumes.ts";
import { nodeWarnings } from "./node-warnings.ts";
import type { Half, HalfContext } from "./serve.ts";

/** Between two looks for inline volumes whose pods have gone. */
const sweepIntervalMs = 5 * 60_000;

/** What `berth node` serves. */
export function startNode({ nodeId, kubeletDir }: NodeOptions): (context: HalfContext) => Half {
  return ({ config, driverName, log }) => {
    for (const warning of nodeWarnings(kubeletDir, process.getuid?.())) log.warn(warning);
    const helpers = new Helpers({ killGroup: (leaderPid) => void process.kill(-leaderPid, "SIGKILL") });
    process.once("exit", () => helpers.close()); // a second signal does not wait: nothing may mount after it
    const parts = { helpers, kubeletDir };
    const work = new MountWork(parts);
    const shares = new NodeShares(config, driverName, log);
    const known = sharesOf(config);
    const ephemeral = new EphemeralVolumes({
      work,
      // Where kubelet wants a driver's own files, its socket among them; they outlive a reboot.
      records: new EphemeralRecords(`${kubeletDir}/plugins/${driverName}/ephemeral`),
      shares,
      known,
      allowed: config.ephemeral.exports,
    });
    const stopping = new AbortController();
    const swept = sweepUntil(ephemeral, log, stopping.signal);
    const exportVolumes = new ExportVolumes(config.exports, log, mountLooker(helpers, kubeletDir));
    return {
      implementations: {
        node: nodeService({
          nodeId,
          volumes: new NodeVolumes(work),
          ephemeral,
          stats: new VolumeStats(parts),
          shares: known,
          exportVolumes,
          sizeOf: (volumeId, source) => volumeSize(helpers, volumeId, source),
        }),
      },
      async close() {
        stopping.abort();
        await swept;
        helpers.close();
        await shares.close();
        await exportVolumes.close();
      },
    };
  };
}

/** At the start, for what a reboot left, and from time to time. */
async function sweepUntil(ephemeral: EphemeralVolumes, log: Log, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await ephemeral.sweep({ signal, effects: new Effects(), log });
    } catch (error) {
      if (!signal.aborted) {
        log.warn(`inline volumes cannot be looked after: ${BerthError.from(error).message}`);
      }
    }
    await systemClock.sleep(sweepIntervalMs, signal).catch(() => {}); // ends early when the signal fires
  }
}

function sharesOf({ directories, exports }: Config): KnownShares {
  return {
    directories: new Map(directories.map(({ name, path }) => [name, path])),
    exports: new Map(exports.map((each) => [each.name, knownExport(each)])),
  };
}

function knownExport({ server, share, tls, mountOptions, ...access }: ExportConfig): KnownExport {
  return {
    server,
    share,
    access: { ...access, tls: tls !== undefined },
    ...(mountOptions === undefined ? {} : { mountOptions }),
  };
}
