import { BerthError } from "../core/errors.ts";
import { bytesText } from "../core/size-text.ts";
import type { VolumeName } from "../core/volume-id.ts";
import { awaitShared } from "./call-share.ts";
import type { ShareContext } from "./context.ts";
import { Ledger } from "./ledger/ledger.ts";
import type { PromiseRequest } from "./ledger/ledger-state.ts";
import { limitBytes, type Overcommit, printOvercommit, ruleOf } from "./overcommit.ts";
import { nonceOf, type VolumeRecord } from "./record.ts";
import { takeBack } from "./retire.ts";

/** What the rule of a class leaves to be promised. */
export interface Room {
  readonly totalBytes: bigint;
  readonly limitBytes: bigint;
  readonly promisedBytes: bigint;
  /** Never negative: a rule may have become stricter. */
  readonly leftBytes: bigint;
}

/**
 * Asks whether a volume whose name is claimed, and whose directory is not in place yet, fits on its share.
 * If not, the claim is taken back: nothing is left of it.
 * @param hasLedger whether promises were counted here after the name was claimed; undefined where nobody has looked
 * @throws BerthError `resource-exhausted` with the figures
 */
export async function admit(
  context: ShareContext,
  name: VolumeName,
  record: VolumeRecord,
  hasLedger?: boolean,
): Promise<void> {
  const refusal = await ask(context, name, record, record.sizeBytes, "create", hasLedger);
  if (refusal === undefined) return;
  await takeBack(context, name, record);
  throw refusal;
}

/** Asks whether a volume may grow to a size, before its record says so, and again after. @throws BerthError as `admit` */
export async function admitGrowth(
  context: ShareContext,
  name: VolumeName,
  record: VolumeRecord,
  bytes: bigint,
  purpose: "grow" | "grown",
): Promise<void> {
  const refusal = await ask(context, name, record, bytes, purpose);
  if (refusal !== undefined) throw refusal;
}

/** What a class's parameters leave to be promised on a share; undefined where they set no limit. */
export async function roomFor(
  context: ShareContext,
  parameters: Readonly<Record<string, string>>,
): Promise<Room | undefined> {
  const rule = ruleOf(parameters, context.overcommit);
  if (rule.kind === "unlimited") return undefined;
  const ledger = Ledger.of(context);
  const totalBytes = await awaitShared(context.share, ledger.totalBytes());
  return roomOf(rule, totalBytes, await awaitShared(context.share, ledger.promisedBytes()));
}

async function ask(
  context: ShareContext,
  name: VolumeName,
  record: VolumeRecord,
  bytes: bigint,
  purpose: PromiseRequest["purpose"],
  hasLedger?: boolean,
): Promise<BerthError | undefined> {
  const ledger = Ledger.of(context);
  const rule = ruleOf(record.identity.parameters, context.overcommit);
  const nonce = nonceOf(record.identity);
  const promise = (request: PromiseRequest) => awaitShared(context.share, ledger.promise(request));
  if (rule.kind === "unlimited") {
    if (hasLedger !== false) await promise({ nonce, name, bytes, purpose, limitBytes: undefined });
    return undefined;
  }
  const totalBytes = await awaitShared(context.share, ledger.totalBytes());
  const limit = limitBytes(rule, totalBytes);
  const decision = await promise({ nonce, name, bytes, purpose, limitBytes: limit });
  if (decision.kind === "admitted") return undefined;
  return doesNotFit(context, name, bytes, rule, roomOf(rule, totalBytes, decision.promisedBytes));
}

function roomOf(rule: Overcommit, totalBytes: bigint, promisedBytes: bigint): Room {
  const limit = limitBytes(rule, totalBytes);
  const left = limit - promisedBytes;
  return { totalBytes, limitBytes: limit, promisedBytes, leftBytes: left > 0n ? left : 0n };
}

function doesNotFit(
  { share }: ShareContext,
  name: VolumeName,
  bytes: bigint,
  rule: Overcommit,
  { totalBytes, limitBytes, promisedBytes, leftBytes }: Room,
): BerthError {
  return new BerthError(
    "resource-exhausted",
    `${share.name}: ${bytesText(bytes)} for volume ${name} do not fit: ${bytesText(promisedBytes)} are promised already, ` +
      `with deleted volumes in the trash, of ${bytesText(limitBytes)}, which is overcommit ${printOvercommit(rule)} times ` +
      `the capacity of ${bytesText(totalBytes)}; ${bytesText(leftBytes)} are left: ask for less, delete volumes, ` +
      "let the trash be emptied, enlarge the share or raise overcommit",
  );
}
