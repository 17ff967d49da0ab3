import { systemClock } from "../../core/clock.ts";
import { limits } from "../../core/limits.ts";
import type { Log } from "../../core/log.ts";
import { parseEndpoint } from "../../csi/endpoint.ts";
import { identity } from "../../csi/identity.ts";
import { CsiServer } from "../../csi/server.ts";
import type { Service } from "../../csi/service.ts";
import { type CsiImplementations, csiServices } from "../../csi/services.ts";
import { createLog } from "../../observe/log.ts";
import { type Config, defaultConfig, readConfig } from "../config/config.ts";
import { keepSmall } from "../keep-small.ts";
import type { ServeOptions } from "../options.ts";
import { endOnSignal, endOnUncaught } from "../process.ts";
import { version } from "../version.ts";

/** What a half of the driver is made from. */
export interface HalfContext {
  readonly config: Config;
  readonly driverName: string;
  readonly log: Log;
}

/** The controller's or the node's part of a driver. */
export interface Half {
  readonly implementations: Omit<CsiImplementations, "identity">;
  /** After the last call has ended: stops work in the background and gives back what is held. */
  close(): Promise<void>;
}

/**
 * Serves the halves on one endpoint until a signal ends the process.
 * @throws BerthError for a configuration or an endpoint that cannot be used
 */
export async function serve(
  options: ServeOptions,
  startHalves: readonly ((context: HalfContext) => Half)[],
): Promise<void> {
  const { driverName } = options;
  const endpoint = parseEndpoint(options.endpoint);
  const config = options.config === undefined ? defaultConfig : readConfig(options.config);
  const log = createLog({ level: options.logLevel, format: options.logFormat });
  endOnUncaught(log);

  log.info(`berth ${version}`, { driverName, cluster: config.cluster });
  const halves = startHalves.map((start) => start({ config, driverName, log }));
  const closeHalves = () => Promise.all(halves.map((half) => half.close()));
  try {
    const starting = CsiServer.start({
      endpoint,
      services: servicesOf(halves, driverName),
      driverName,
      log,
      clock: systemClock,
    });
    const drain = async (reason: string) => {
      await (await starting).drain(reason);
      await Promise.race([closeHalves(), systemClock.sleep(limits.closeMsMax)]);
    };
    endOnSignal({ drain }, log); // before anybody can hear that it listens
    await starting;
    // A daemon that has started should stay small (`make bench`); earlier it would only start more slowly.
    keepSmall();
  } catch (error) {
    await closeHalves(); // else their work in the background would keep the process alive
    throw error;
  }
}

function servicesOf(halves: readonly Half[], driverName: string): Service[] {
  const parts: Half["implementations"] = Object.assign({}, ...halves.map((half) => half.implementations));
  return csiServices({ identity: identity({ driverName, version }), ...parts });
}
