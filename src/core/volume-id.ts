import { createHash } from "node:crypto";
import type { Brand } from "./brand.ts";
import { BerthError } from "./errors.ts";
import { limits } from "./limits.ts";
import { base32 } from "./nonce.ts";

/**
 * A volume's name on its share, and of its directory: `[A-Za-z0-9][A-Za-z0-9._-]*`, or the digest
 * form `<start of the name>~<26 characters of base 32>`. Safe as a path component, as it is.
 */
export type VolumeName = Brand<string, "VolumeName">;

export const volumeTypes = ["directory", "export", "filestore"] as const;
export type VolumeType = (typeof volumeTypes)[number];
export const volumeProtocols = ["bind", "nfs"] as const;
export type VolumeProtocol = (typeof volumeProtocols)[number];

/** The four parts of an id: `<type>/<protocol>/<name>/<source>`, each percent-encoded. */
export interface VolumeId {
  readonly type: VolumeType;
  readonly protocol: VolumeProtocol;
  readonly name: VolumeName;
  /** What the volume lies on: the name of a share, export or instance. */
  readonly source: string;
}

const plainName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const digestName = /^[A-Za-z0-9._-]{0,32}~[a-z2-7]{26}$/;

/**
 * The name of the volume that a CO's CreateVolume `name` asks for. A plain name of up to 64 bytes is
 * taken as it is; any other (longer, or with other characters: CSI allows all of Unicode but control
 * characters) is given as its readable start and a digest, so that it fits and means nothing to a
 * path. Names that try to be paths are refused.
 * @throws BerthError `invalid-argument`
 */
export function volumeNameOf(csiName: string): VolumeName {
  if (csiName === "") throw invalidName(csiName, "is empty", "give every volume a name");
  if (Buffer.byteLength(csiName) > limits.csiStringBytesMax) {
    throw invalidName(csiName, `is longer than ${limits.csiStringBytesMax} bytes`, "shorten it");
  }
  if (/\p{Cc}/u.test(csiName)) throw invalidName(csiName, "has a control character", "leave it out");
  if (csiName.includes("/") || csiName === "." || csiName === "..") {
    throw invalidName(csiName, "is a path", "use a name without '/'");
  }
  if (plainName.test(csiName) && csiName.length <= limits.volumeNameBytesMax) return csiName as VolumeName;
  const start = csiName
    .replaceAll(/[^A-Za-z0-9._-]/g, "")
    .replace(/^[._-]+/, "")
    .slice(0, 32);
  const digest = createHash("sha256").update(csiName).digest().subarray(0, 16);
  return `${start}~${base32(digest)}` as VolumeName;
}

/** A name as it stands in an id or on a share. @throws BerthError `invalid-argument` */
export function parseVolumeName(text: string): VolumeName {
  const plain = plainName.test(text) && text.length <= limits.volumeNameBytesMax;
  if (!plain && !digestName.test(text)) {
    throw invalidName(text, "is not the name of a volume of Berth", "use the id that CreateVolume gave");
  }
  return text as VolumeName;
}

/** The text of an id. @throws BerthError `invalid-argument` when it would exceed CSI's 128 bytes */
export function printVolumeId(id: VolumeId): string {
  const text = [id.type, id.protocol, id.name, id.source].map(encodePart).join("/");
  if (Buffer.byteLength(text) > limits.csiStringBytesMax) {
    throw new BerthError(
      "invalid-argument",
      `volume id ${text} would be longer than ${limits.csiStringBytesMax} bytes: give its share a shorter name`,
    );
  }
  return text;
}

/**
 * The id that a text stands for, or undefined when it is not ours: other drivers' handles and
 * hand-written ones have parsers of their own. Only what `printVolumeId` prints is an id.
 */
export function parseVolumeId(text: string): VolumeId | undefined {
  if (Buffer.byteLength(text) > limits.csiStringBytesMax) return undefined;
  const [type, protocol, name, source, ...more] = text.split("/").map(decodePart);
  if (more.length > 0 || name === undefined || source === undefined || source === "") return undefined;
  if (!isVolumeType(type) || !isVolumeProtocol(protocol)) return undefined;
  try {
    const id: VolumeId = { type, protocol, name: parseVolumeName(name), source };
    return printVolumeId(id) === text ? id : undefined;
  } catch {
    return undefined; // a name that is none
  }
}

/** RFC 3986 percent-encoding of all but unreserved characters. */
function encodePart(part: string): string {
  return encodeURIComponent(part).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decodePart(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined; // a lone % or bytes that are no UTF-8
  }
}

function isVolumeType(text: string | undefined): text is VolumeType {
  return volumeTypes.some((type) => type === text);
}

function isVolumeProtocol(text: string | undefined): text is VolumeProtocol {
  return volumeProtocols.some((protocol) => protocol === text);
}

function invalidName(name: string, cause: string, remedy: string): BerthError {
  return new BerthError(
    "invalid-argument",
    `volume name ${JSON.stringify(name.slice(0, 200))} ${cause}: ${remedy}`,
  );
}
