import type { Program } from "../../rpc/message.ts";
import { XdrError } from "../../xdr/xdr-error.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { XdrWriter } from "../../xdr/xdr-writer.ts";
import { status } from "../status.ts";
import type { Operation, ResultsOf } from "./operation.ts";

export type MinorVersion = 1 | 2;

/** RFC 8881 §16: procedure 1 of version 4 carries everything. */
export const nfs4Program: Program = { name: "NFS", number: 100003, version: 4 };
export const compoundProcedure = 1;
const tagBytesMax = 1024;

/** What became of a compound: all results, or those before the operation that failed. */
export type CompoundReply<Operations extends readonly Operation<unknown>[]> =
  | { readonly status: "ok"; readonly results: ResultsOf<Operations> }
  | CompoundFailure;

export interface CompoundFailure {
  readonly status: "error";
  readonly code: number;
  /** Which operation failed; those before it were done. */
  readonly index: number;
  /** Of those before it. */
  readonly results: readonly unknown[];
}

/** `COMPOUND4args` (RFC 8881 §16.2) up to its operations. */
export function writeCompoundHeader(writer: XdrWriter, minor: MinorVersion, operations: number): void {
  writer.uint32(0).uint32(minor).uint32(operations); // with an empty tag
}

/** `nfs_argop4` (RFC 8881 §16.2). */
export function writeOperation(writer: XdrWriter, operation: Operation<unknown>): void {
  operation.encode(writer.uint32(operation.code));
}

/** `COMPOUND4res` (RFC 8881 §16.2) up to its results. */
export interface CompoundHeader {
  readonly code: number;
  readonly results: number;
}

/** `COMPOUND4res` (RFC 8881 §16.2) up to its results. @throws XdrError */
export function readCompoundHeader(reader: XdrReader): CompoundHeader {
  const code = reader.uint32();
  reader.skipOpaque(tagBytesMax);
  return { code, results: reader.uint32() };
}

/**
 * The results of `operations` (RFC 8881 §16.2). Servers cut a compound that is too long and say OK all the same
 * (measured on Linux), so the results are counted: a missing one counts as TOO_MANY_OPS.
 * @throws XdrError
 */
export function readResults<const Operations extends readonly Operation<unknown>[]>(
  reader: XdrReader,
  header: CompoundHeader,
  operations: Operations,
): CompoundReply<Operations> {
  const results: unknown[] = [];
  for (const operation of operations) {
    const index = results.length;
    if (index >= header.results) {
      const code = header.code === status.ok ? status.tooManyOps : header.code;
      return { status: "error", code, index, results };
    }
    const code = readResultStatus(reader, operation);
    if (code !== status.ok) return { status: "error", code, index, results };
    results.push(operation.decode(reader));
  }
  if (header.code !== status.ok) throw new XdrError("a compound that failed although all in it went well");
  return { status: "ok", results: results as ResultsOf<Operations> };
}

/** The status in front of a result (RFC 8881 §16.2 `nfs_resop4`). */
export function readResultStatus(reader: XdrReader, operation: Operation<unknown>): number {
  const code = reader.uint32();
  if (code !== operation.code && code !== illegalOperation) {
    throw new XdrError(`a result of operation ${code} where ${operation.name} was asked for`);
  }
  return reader.uint32();
}

/** OP_ILLEGAL (RFC 8881 §18.45): what a server answers that does not know the operation. */
const illegalOperation = 10044;
