import { type DescField, type DescMessage, hasOption, type Message } from "@bufbuild/protobuf";
import { type ReflectMap, type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { limits } from "../core/limits.ts";
import { csi_secret } from "../gen/csi/v1/csi_pb.ts";
import { invalidField } from "./field-error.ts";
import { checkPath, isPathField } from "./path-field.ts";
import { checkRules } from "./rules.ts";

/**
 * Checks a request of any type: the limits that CSI sets to every field ("size limits" in its spec),
 * and the rules of its own (`rules.ts`). Messages name the field as the `.proto` file does, and hold
 * no value out of a map, a secret or a mount flag.
 * @throws BerthError `invalid-argument`; `out-of-range` for a capacity range that cannot be
 */
export function checkRequest(schema: DescMessage, request: Message): void {
  checkMessage(reflect(schema, request), "", schema);
}

/** @param prefix of its fields' names: `volume_capabilities[0].` */
function checkMessage(message: ReflectMessage, prefix: string, request: DescMessage): void {
  checkRules(message, prefix, request);
  for (const field of message.fields) {
    if (message.isSet(field)) checkField(message, field, prefix + field.name, request);
  }
}

function checkField(message: ReflectMessage, field: DescField, name: string, request: DescMessage): void {
  if (field.fieldKind === "scalar") checkScalar(field, message.get(field), name);
  if (field.fieldKind === "message") checkMessage(message.get(field), `${name}.`, request);
  if (field.fieldKind === "map") checkMap(field, message.get(field), name);
  if (field.fieldKind !== "list") return;
  for (const [index, item] of message.get(field).entries()) {
    if (isReflectMessage(item)) checkMessage(item, `${name}[${index}].`, request);
    else checkScalar(field, item, `${name}[${index}]`);
  }
}

function checkScalar(field: DescField, value: unknown, name: string): void {
  if (typeof value !== "string") return;
  if (field.name === "mount_flags") return; // bounded all together: rules.ts
  if (isPathField(field.name)) {
    checkPath(field.name, name, value);
    return;
  }
  const bytesMax = field.name === "node_id" ? limits.csiNodeIdBytesMax : limits.csiStringBytesMax;
  const bytes = Buffer.byteLength(value);
  if (bytes > bytesMax) {
    throw invalidField(name, `is ${bytes} bytes long`, `CSI allows ${bytesMax}`);
  }
  if (controlCharacter.test(value)) throw invalidField(name, "has a control character", "leave it out");
}

function checkMap(field: DescField, map: ReflectMap, name: string): void {
  let bytes = 0;
  for (const [key, value] of map) {
    bytes += Buffer.byteLength(String(key)) + Buffer.byteLength(String(value));
    if (!hasOption(field, csi_secret) && controlCharacter.test(String(key))) {
      throw invalidField(name, "has a key with a control character", "leave it out");
    }
  }
  if (bytes > limits.csiMapBytesMax) {
    throw invalidField(
      name,
      `holds ${bytes} bytes of keys and values`,
      `CSI allows ${limits.csiMapBytesMax}`,
    );
  }
}

const controlCharacter = /\p{Cc}/u;

function isReflectMessage(item: unknown): item is ReflectMessage {
  return typeof item === "object" && item !== null && "desc" in item && "message" in item;
}
