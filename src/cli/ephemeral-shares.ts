import type { Log } from "../core/log.ts";
import { printVolumeId } from "../core/volume-id.ts";
import type { EphemeralRecord } from "../node/ephemeral-records.ts";
import type { EphemeralShares } from "../node/ephemeral-volumes.ts";
import { recordPath } from "../volumes/layout.ts";
import type { Config } from "./config.ts";
import { type OpenShares, openShares } from "./shares.ts";

type Attributes = Readonly<Record<string, string>>;

/**
 * Inline volumes are volumes like others on their export, with record and trash; only that the node makes and
 * deletes them itself. The controller's reaper empties the trash.
 */
export class NodeShares implements EphemeralShares {
  readonly #config: Config;
  readonly #driver: string;
  readonly #log: Log;
  #open: OpenShares | undefined;

  constructor(config: Config, driver: string, log: Log) {
    this.#config = config;
    this.#driver = driver;
    this.#log = log;
  }

  check(record: EphemeralRecord, attributes: Attributes): void {
    this.#place(record, attributes);
  }

  async create(
    record: EphemeralRecord,
    attributes: Attributes,
    call: Parameters<EphemeralShares["create"]>[2],
  ) {
    const { parameters, placed } = this.#place(record, attributes);
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
    return { directory, record: `${recordPath(rest.id.name)}/identity.json` };
  }

  async delete(record: EphemeralRecord, call: Parameters<EphemeralShares["delete"]>[1]): Promise<void> {
    const { placed } = this.#place(record, {});
    const found = this.#shares.placements.get(printVolumeId(placed.id));
    await found.volumes.delete(call, found.id);
  }

  async close(): Promise<void> {
    await this.#open?.close();
  }

  #place({ volumeId, export: name }: EphemeralRecord, attributes: Attributes) {
    const parameters = { type: "export", export: name, ...attributes };
    return { parameters, placed: this.#shares.placements.of(parameters).place(parameters, volumeId) };
  }

  /** Opened when a pod first has an inline volume. */
  get #shares(): OpenShares {
    this.#open ??= openShares(
      this.#config,
      { cluster: this.#config.cluster, driver: this.#driver },
      this.#log,
    );
    return this.#open;
  }
}
