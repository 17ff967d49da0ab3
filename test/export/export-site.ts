/** A real controller over an export of a real NFS server, for many tests, and its reaper, to be run at will. */
import assert from "node:assert/strict";
import { parseConfig } from "../../src/cli/config/config.ts";
import { exportShare } from "../../src/cli/driver/export-share.ts";
import { systemClock } from "../../src/core/clock.ts";
import { silentLog } from "../../src/core/log.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import { Reaper, type ReapReport } from "../../src/volumes/reaper.ts";
import type { GaneshaOptions } from "../nfs/ganesha.ts";
import { creation, rpc } from "../support/edge-controller-harness.ts";
import { configurationOf, type ExportFixture, startExportController } from "./controller-fixture.ts";

export interface ExportSite extends ExportFixture, AsyncDisposable {
  readonly version: "3" | "4.1";
  /** One pass over the trash, as the controller makes them. */
  reap(): Promise<ReapReport>;
}

export interface SiteOptions extends GaneshaOptions {
  /** Of the export's configuration, in YAML. */
  readonly more?: string;
  readonly version?: "3" | "4.1";
}

export async function openExportSite(options: SiteOptions = {}): Promise<ExportSite> {
  const ending = new AsyncDisposableStack();
  const version = options.version ?? "4.1";
  const lifetime = { after: (work: () => unknown) => ending.defer(async () => void (await work())) };
  try {
    const fixture = await startExportController(lifetime, options);
    const [nas] = parseConfig(
      configurationOf(fixture.server, version) + (options.more ?? ""),
      "test.yaml",
    ).exports;
    assert.ok(nas);
    const share = exportShare("nas", nas, nas, silentLog);
    ending.defer(() => share.close());
    const owner = { cluster: "test", driver: "d.test" };
    const context = { share, owner, clock: systemClock, newNonce: randomNonce };
    const reaper = new Reaper(context, { intervalMs: 1, stagingGraceMs: 3_600_000 }, silentLog);
    return {
      ...fixture,
      version,
      reap: () => reaper.pass(new AbortController().signal),
      [Symbol.asyncDispose]: () => ending.disposeAsync(),
    };
  } catch (reason) {
    await ending.disposeAsync();
    throw reason;
  }
}

export interface MadeVolume {
  readonly volumeId: string;
  readonly volumeContext: Readonly<Record<string, string>>;
}

/** @throws Error with code and message of the answer */
export async function createVolume(
  { client }: ExportSite,
  name: string,
  parameters: Readonly<Record<string, string>>,
  claim?: { readonly name: string; readonly namespace: string },
): Promise<MadeVolume> {
  const of = "csi.storage.k8s.io/pvc/";
  const named = claim === undefined ? {} : { [`${of}name`]: claim.name, [`${of}namespace`]: claim.namespace };
  const request = creation(name, { parameters: { type: "export", export: "nas", ...named, ...parameters } });
  const answer = await client.call(rpc.createVolume, request);
  if (answer.code !== "OK" || answer.response?.volume === undefined) {
    throw new Error(`${answer.code}: ${"details" in answer ? answer.details : ""}`);
  }
  return answer.response.volume;
}

export async function deleteVolume({ client }: ExportSite, volumeId: string): Promise<void> {
  const answer = await client.call(rpc.deleteVolume, { volumeId });
  assert.equal(answer.code, "OK", "details" in answer ? answer.details : undefined);
}
