import type { Clock } from "../../core/clock.ts";
import { BerthError } from "../../core/errors.ts";
import { bytesText } from "../../core/size-text.ts";
import {
  ControllerServiceCapability_RPC_Type as Capability,
  Controller,
  Identity,
  type Volume,
} from "../../gen/csi/v1/csi_pb.ts";
import type { Caller } from "../calls.ts";
import type { CallResult } from "../csi-client.ts";
import { csiAccessMode } from "./access-modes.ts";
import type { Claim, PersistentVolume, StorageClass } from "./objects.ts";
import { untilReady } from "./ready.ts";
import { type Failure, isFinal, untilOk } from "./retry.ts";

const rpcTimeoutMs = 10_000;
const backoff = { firstMs: 1_000, longestMs: 300_000 };
const undersizedDeletesMax = 5;
/** Keys of a class that are Kubernetes' own: they never reach a driver. */
const reservedPrefix = "csi.storage.k8s.io/";

export interface ProvisionerOptions {
  readonly caller: Caller;
  readonly clock: Clock;
}

/** How long, and who hears of what failed meanwhile. */
export interface Attempts {
  readonly signal: AbortSignal;
  readonly onFailure?: (failure: Failure) => void;
}

interface DriverInfo {
  readonly name: string;
  readonly version: string;
  readonly capabilities: ReadonlySet<Capability>;
}

/** What csi-provisioner v6.3 does with claims, with `--extra-create-metadata`. */
export class Provisioner {
  readonly #caller: Caller;
  readonly #clock: Clock;
  #driver: DriverInfo | undefined;

  constructor({ caller, clock }: ProvisionerOptions) {
    this.#caller = caller;
    this.#clock = clock;
  }

  /**
   * Waits for the driver, and asks once what it is and can.
   * @throws BerthError `deadline-exceeded` when it is not ready in time, `failed-precondition` when it
   * makes no volumes
   */
  async start(signal: AbortSignal): Promise<DriverInfo> {
    await untilReady(this.#caller, this.#clock, signal);
    const why = "csi-provisioner asks once what the driver is and can";
    const once = { why, timeoutMs: rpcTimeoutMs };
    const { name, vendorVersion } = await this.#repeat(
      "GetPluginInfo",
      () => this.#caller.call(Identity.method.getPluginInfo, {}, once),
      signal,
    );
    await this.#repeat(
      "GetPluginCapabilities",
      () => this.#caller.call(Identity.method.getPluginCapabilities, {}, once),
      signal,
    );
    const { capabilities } = await this.#repeat(
      "ControllerGetCapabilities",
      () => this.#caller.call(Controller.method.controllerGetCapabilities, {}, once),
      signal,
    );
    const types = capabilities.flatMap(({ type }) => (type.case === "rpc" ? [type.value.type] : []));
    this.#driver = { name, version: vendorVersion, capabilities: new Set(types) };
    if (!this.#driver.capabilities.has(Capability.CREATE_DELETE_VOLUME)) {
      throw new BerthError(
        "failed-precondition",
        `driver ${name} makes no volumes: it has no CREATE_DELETE_VOLUME`,
      );
    }
    return this.#driver;
  }

  /**
   * Creates the volume of a claim; tries until it succeeds.
   * @param name the PV's: `pvc-<UID of the claim>`
   * @param isWanted when it no longer is, an attempt whose outcome is known is the last one
   * @returns undefined for a claim that was given up
   */
  async provision(
    name: string,
    claim: Claim,
    storageClass: StorageClass,
    { signal, onFailure, isWanted }: Attempts & { readonly isWanted: () => boolean },
  ): Promise<PersistentVolume | undefined> {
    const create = async (): Promise<CallResult<Volume | undefined>> => {
      const result = await this.#create(name, claim, storageClass);
      const isKnown = result.status === "error" && isFinal(result.code);
      return isKnown && !isWanted() ? { status: "ok", response: undefined } : result;
    };
    const volume = await this.#repeat(`CreateVolume of ${name}`, create, signal, onFailure);
    if (volume === undefined) return undefined;
    return {
      kind: "PersistentVolume",
      name,
      handle: volume.volumeId,
      driver: storageClass.provisioner,
      capacityBytes: volume.capacityBytes === 0n ? claim.requestBytes : volume.capacityBytes,
      accessModes: claim.accessModes,
      mountOptions: storageClass.mountOptions,
      attributes: {
        ...volume.volumeContext,
        "storage.kubernetes.io/csiProvisionerIdentity": `lab-${storageClass.provisioner}`,
      },
      reclaimPolicy: storageClass.reclaimPolicy,
      storageClassName: storageClass.name,
      readOnly: false,
      provisionedBy: storageClass.provisioner,
    };
  }

  async delete(volume: PersistentVolume, { signal, onFailure }: Attempts): Promise<void> {
    const how = { why: "the PV is released, and its class says Delete", timeoutMs: rpcTimeoutMs };
    const request = { volumeId: volume.handle };
    await this.#repeat(
      `DeleteVolume of ${volume.handle}`,
      () => this.#caller.call(Controller.method.deleteVolume, request, how),
      signal,
      onFailure,
    );
  }

  /** What csi-resizer does with a claim that asks for more. @returns the volume's new size */
  async expand(volume: PersistentVolume, bytes: bigint, { signal, onFailure }: Attempts): Promise<bigint> {
    const how = { why: "the claim asks for more", timeoutMs: rpcTimeoutMs };
    const request = { volumeId: volume.handle, capacityRange: { requiredBytes: bytes } };
    const { capacityBytes } = await this.#repeat(
      `ControllerExpandVolume of ${volume.handle}`,
      () => this.#caller.call(Controller.method.controllerExpandVolume, request, how),
      signal,
      onFailure,
    );
    return capacityBytes;
  }

  async #create(name: string, claim: Claim, storageClass: StorageClass): Promise<CallResult<Volume>> {
    const multiWriter = this.#driver?.capabilities.has(Capability.SINGLE_NODE_MULTI_WRITER) ?? false;
    const request = {
      name,
      capacityRange: { requiredBytes: claim.requestBytes, limitBytes: claim.limitBytes },
      volumeCapabilities: claim.accessModes.map((mode) => ({
        accessType: { case: "mount" as const, value: { mountFlags: [...storageClass.mountOptions] } },
        accessMode: { mode: csiAccessMode(mode, multiWriter) },
      })),
      parameters: { ...driverParameters(storageClass.parameters), ...claimMetadata(name, claim) },
    };
    const how = { why: `claim ${claim.name} asks for a volume`, timeoutMs: rpcTimeoutMs };
    const result = await this.#caller.call(Controller.method.createVolume, request, how);
    if (result.status === "error") return result;
    const { volume } = result.response;
    if (volume === undefined)
      return { status: "error", code: "INTERNAL", message: "the response has no volume" };
    if (volume.capacityBytes === 0n || volume.capacityBytes >= claim.requestBytes) {
      return { status: "ok", response: volume };
    }
    await this.#deleteUndersized(volume);
    const message = `the volume has ${bytesText(volume.capacityBytes)} of ${bytesText(claim.requestBytes)}`;
    return { status: "error", code: "OUT_OF_RANGE", message };
  }

  async #deleteUndersized({ volumeId }: Volume): Promise<void> {
    const how = { why: "the volume is smaller than the claim", timeoutMs: rpcTimeoutMs };
    for (let attempt = 0; attempt < undersizedDeletesMax; attempt += 1) {
      const result = await this.#caller.call(Controller.method.deleteVolume, { volumeId }, how);
      if (result.status === "ok") return;
    }
  }

  #repeat<T>(
    step: string,
    attempt: () => Promise<CallResult<T>>,
    signal: AbortSignal,
    onFailure: (failure: Failure) => void = () => {},
  ): Promise<T> {
    return untilOk(step, attempt, { backoff, clock: this.#clock, signal, onFailure });
  }
}

function driverParameters(parameters: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(parameters).filter(([key]) => !key.startsWith(reservedPrefix)));
}

function claimMetadata(name: string, claim: Claim): Record<string, string> {
  return {
    [`${reservedPrefix}pvc/name`]: claim.name,
    [`${reservedPrefix}pvc/namespace`]: claim.namespace,
    [`${reservedPrefix}pv/name`]: name,
  };
}
