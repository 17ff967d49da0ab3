import type { Call } from "../../core/call.ts";
import type { Log } from "../../core/log.ts";
import { printVolumeId } from "../../core/volume-id.ts";
import type { EphemeralRecord } from "../../node/ephemeral/ephemeral-records.ts";
import type { EphemeralShares } from "../../node/ephemeral/ephemeral-volumes.ts";
import type { Config } from "../config/config.ts";
import type { OpenShares } from "./shares.ts";

type Attributes = Readonly<Record<string, string>>;

/**
 * Inline volumes are volumes like others on their export, with record and trash; only that the node makes and
 * deletes them itself. The controller's reaper empties the trash.
 */
export class NodeShares implements EphemeralShares {
  readonly #config: Config;
  readonly #driver: string;
  readonly #log: Log;
  #open: Promise<OpenShares> | undefined;

  constructor(config: Config, driver: string, log: Log) {
    this.#config = config;
    this.#driver = driver;
    this.#log = log;
  }

  async check(record: EphemeralRecord, attributes: Attributes): Promise<void> {
    await this.#place(record, attributes);
  }

  async create(record: EphemeralRecord, attributes: Attributes, call: Call) {
    const { parameters, placed } = await this.#place(record, attributes);
    const { volumes, ...rest } = placed;
    const { directory } = await volumes.create(call, {
      ...rest,
      requestedName: record.volumeId,
      capacity: { requiredBytes: 0n, limitBytes: 0n },
      accessModes: ["SINGLE_NODE_WRITER"],
      mountFlags: [],
      parameters,
      trashRetentionMs: 0, // with its pod it is gone
    });
    return { directory, record: `.berth/volumes/${rest.id.name}/identity.json` };
  }

  async delete(record: EphemeralRecord, call: Call): Promise<void> {
    const { placed } = await this.#place(record, {});
    const { placements } = await this.#shares();
    const found = placements.get(printVolumeId(placed.id));
    await found.volumes.delete(call, found.id);
  }

  async close(): Promise<void> {
    const shares = await this.#open?.catch(() => undefined); // whoever asked for them was told
    await shares?.close();
  }

  async #place({ volumeId, export: name }: EphemeralRecord, attributes: Attributes) {
    const parameters = { type: "export", export: name, ...attributes };
    const { placements } = await this.#shares();
    return { parameters, placed: placements.of(parameters).place(parameters, volumeId) };
  }

  /** Loaded and opened when a pod first has an inline volume: what no pod has should cost no memory. */
  #shares(): Promise<OpenShares> {
    const open = this.#open ?? this.#load();
    this.#open = open;
    open.catch(() => {
      if (this.#open === open) this.#open = undefined; // next time it may work
    });
    return open;
  }

  async #load(): Promise<OpenShares> {
    const { openShares } = await import("./shares.ts");
    return openShares(this.#config, { cluster: this.#config.cluster, driver: this.#driver }, this.#log);
  }
}
