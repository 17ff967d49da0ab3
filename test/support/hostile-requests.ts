/** Requests with something in one of their fields that tries to be a path. */
import { type DescMessage, type DescMethod, type DescMethodUnary, ScalarType } from "@bufbuild/protobuf";
import { exportClassKeys } from "../../src/placement/export.ts";
import { creation, mount } from "./edge-controller-harness.ts";

export const hostileTexts = [
  "..",
  ".",
  "../x",
  "../../etc",
  "a/../../etc",
  "a/./b",
  "/etc",
  "/",
  "//",
  "a//b",
  "a/",
  "a\\..\\b",
  "%2e%2e",
  "%2e%2e%2fetc",
  "a%2Fb",
  "a%00b",
  "a\0b",
  "\0",
  "a#b",
  "#",
  "a\nb",
  ".berth",
  ".BERTH",
  ".berth/volumes/victim",
  "\uff0e\uff0e/x",
  "a\u2215b",
  "\u202e",
  "$(reboot)",
  "-rf",
  "x".repeat(5000),
];

const kubernetes = "csi.storage.k8s.io/";
export const exportNas = { type: "export", export: "nas" };

export type Request = Record<string, unknown>;

export function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

/** Good enough that only the field under attack is wrong. */
function goodRequest(method: DescMethod, volumeId: string): Request {
  const capacityRange = { requiredBytes: 1024n };
  switch (method.name) {
    case "CreateVolume":
      return { ...creation("attack", { parameters: exportNas }) };
    case "ListVolumes":
      return {};
    case "GetCapacity":
      return { parameters: exportNas };
    case "ControllerExpandVolume":
      return { volumeId, capacityRange };
    case "ValidateVolumeCapabilities":
      return { volumeId, volumeCapabilities: [mount] };
    default:
      return { volumeId };
  }
}

/** Requests to the Controller service; and each parameter of a class. */
export function* hostileRequests(method: DescMethod, volumeId: string): Generator<[string, Request]> {
  const good = goodRequest(method, volumeId);
  yield* hostileVariants(method.input, good, hostileTexts);
  if (method.name !== "CreateVolume" && method.name !== "GetCapacity") return;
  for (const path of hostileTexts) {
    for (const key of exportClassKeys)
      yield [`parameters.${key}`, { ...good, parameters: { ...exportNas, [key]: path } }];
    const named = { ...exportNas, [`${kubernetes}pvc/name`]: path, [`${kubernetes}pvc/namespace`]: path };
    for (const template of ["pvc.metadata.name", "pvc.metadata.namespace"]) {
      const subDir = `team/\${${template}}`;
      yield [template, { ...good, parameters: { ...named, subDir, adoptExisting: "true" } }];
    }
  }
}

/** The request with each of its strings, however deep, replaced by each of the texts. */
export function* hostileVariants(
  message: DescMessage,
  good: Request,
  texts: readonly string[],
): Generator<[string, Request]> {
  for (const text of texts) {
    for (const [field, set] of stringsOf(message)) yield [field, { ...good, ...set(text) }];
  }
}

/** How to set each string in a message. */
function* stringsOf(message: DescMessage, depth = 0): Generator<[string, (text: string) => Request]> {
  if (depth > 4) return;
  for (const field of message.fields) {
    const put = (value: unknown): Request =>
      field.oneof === undefined
        ? { [field.localName]: value }
        : { [field.oneof.localName]: { case: field.localName, value } };
    if (field.fieldKind === "scalar" && field.scalar === ScalarType.STRING) {
      yield [field.name, (text) => put(text)];
    } else if (
      field.fieldKind === "list" &&
      field.listKind === "scalar" &&
      field.scalar === ScalarType.STRING
    ) {
      yield [field.name, (text) => put([text])];
    } else if (field.fieldKind === "map") {
      yield [`${field.name} key`, (text) => put({ [text]: "x" })];
      yield [`${field.name} value`, (text) => put({ x: text })];
    } else if (field.message !== undefined) {
      const wrap = (value: unknown) => put(field.fieldKind === "list" ? [value] : value);
      for (const [name, set] of stringsOf(field.message, depth + 1))
        yield [`${field.name}.${name}`, (text) => wrap(set(text))];
    }
  }
}

/** Codes that refuse for good; NOT_FOUND and OK are added where a method may say them. */
export const refusals = [
  "INVALID_ARGUMENT",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "NOT_FOUND",
];
