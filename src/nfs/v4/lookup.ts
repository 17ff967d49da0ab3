import type { FileName } from "../file.ts";
import { nothing, type Operation } from "./operation.ts";

/** LOOKUP (RFC 8881 §18.13) */
export function lookup(name: FileName): Operation<void> {
  return { code: 15, name: "LOOKUP", encode: (writer) => void writer.text(name), decode: nothing };
}
