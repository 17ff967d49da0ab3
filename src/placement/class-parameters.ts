import { parseDurationMs } from "../core/duration.ts";
import { BerthError } from "../core/errors.ts";
import type { Attributes } from "../share/share.ts";
import { overcommitProblem } from "../volumes/overcommit.ts";
import { type DirectoryAttributes, type OnDelete, onDeleteChoices } from "../volumes/volume.ts";

/** A StorageClass's parameters, without those under `csi.storage.k8s.io/`. */
export type Parameters = Readonly<Record<string, string>>;

/** Pods run as any user, and only the claim's own pods ever see the directory. */
const defaultMode = 0o777;
const idMax = 2 ** 32 - 2;

/** @throws BerthError `invalid-argument` for the first parameter that the type does not know, by name */
export function refuseUnknown(parameters: Parameters, type: string, known: readonly string[]): void {
  for (const key of Object.keys(parameters)) {
    if (!known.includes(key)) {
      throw invalidParameter(key, `is unknown to type: ${type}`, `it knows ${known.join(", ")}`);
    }
  }
}

/** `mode`, `uid` and `gid`. @throws BerthError `invalid-argument` */
export function attributesOf(parameters: Parameters): DirectoryAttributes {
  const [mode, uid, gid] = [parameters["mode"], parameters["uid"], parameters["gid"]];
  return {
    mode: mode === undefined ? defaultMode : modeOf(mode),
    ...(uid === undefined ? {} : { uid: idOf("uid", uid) }),
    ...(gid === undefined ? {} : { gid: idOf("gid", gid) }),
  };
}

/** `trashRetention`. @throws BerthError `invalid-argument` */
export function retentionOf(parameters: Parameters, otherwiseMs: number): number {
  const text = parameters["trashRetention"];
  if (text === undefined) return otherwiseMs;
  try {
    return parseDurationMs(text);
  } catch (reason) {
    throw invalidParameter("trashRetention", BerthError.from(reason).message, "0 keeps nothing");
  }
}

/** `overcommit` is read again where it is used; a wrong one is refused before. @throws BerthError `invalid-argument` */
export function checkOvercommit(parameters: Parameters): void {
  const text = parameters["overcommit"];
  const problem = text === undefined ? undefined : overcommitProblem(text);
  if (problem !== undefined) {
    throw new BerthError("invalid-argument", `StorageClass parameter overcommit ${problem}`);
  }
}

/** `onDelete`. @throws BerthError `invalid-argument` */
export function onDeleteOf({ onDelete: text = "delete" }: Parameters): OnDelete {
  const choice = onDeleteChoices.find((each) => each === text);
  if (choice !== undefined) return choice;
  throw invalidParameter(
    "onDelete",
    `${JSON.stringify(text)} is unknown`,
    `write one of ${onDeleteChoices.join(", ")}`,
  );
}

/**
 * `adoptExisting`: what an adopted directory gets. Its mode and owner stay where the class is silent.
 * @throws BerthError `invalid-argument`
 */
export function adoptionOf(parameters: Parameters): Attributes | undefined {
  const text = parameters["adoptExisting"] ?? "false";
  if (text !== "true" && text !== "false") {
    throw invalidParameter("adoptExisting", `${JSON.stringify(text)} is neither`, 'write "true" or "false"');
  }
  if (text === "false") return undefined;
  const { mode, ...owner } = attributesOf(parameters);
  return parameters["mode"] === undefined ? owner : { mode, ...owner };
}

export function invalidParameter(key: string, cause: string, remedy: string): BerthError {
  return new BerthError("invalid-argument", `StorageClass parameter ${key} ${cause}: ${remedy}`);
}

function modeOf(text: string): number {
  if (!/^0?[0-7]{3,4}$/.test(text) || Number.parseInt(text, 8) > 0o7777) {
    throw invalidParameter(
      "mode",
      `${JSON.stringify(text)} is no mode`,
      'write three or four octal digits in quotes, such as "0770"',
    );
  }
  return Number.parseInt(text, 8);
}

function idOf(key: string, text: string): number {
  if (!/^(0|[1-9][0-9]{0,9})$/.test(text) || Number(text) > idMax) {
    throw invalidParameter(
      key,
      `${JSON.stringify(text)} is no numeric id`,
      `write a number from 0 to ${idMax} in quotes`,
    );
  }
  return Number(text);
}
