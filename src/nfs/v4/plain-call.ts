import type { Credentials } from "../../rpc/auth-sys.ts";
import type { RpcConnection } from "../../rpc/connection.ts";
import type { Until } from "../../rpc/pause.ts";
import { status } from "../status.ts";
import { waitOut } from "../wait-out.ts";
import {
  compoundProcedure,
  type MinorVersion,
  nfs4Program,
  readCompoundHeader,
  readResults,
  writeCompoundHeader,
  writeOperation,
} from "./compound.ts";
import type { Operation } from "./operation.ts";

export interface CallContext extends Until {
  readonly credentials: Credentials;
}

/** A result, or the status in its place. */
export type PlainReply<Result> =
  | { readonly status: "ok"; readonly result: Result }
  | { readonly status: "error"; readonly code: number };

/**
 * One operation outside of any session, as only those that make and end sessions may be (RFC 8881
 * §2.10.6). DELAY is tried again. @throws RpcError, XdrError
 */
export async function callPlain<Result>(
  connection: RpcConnection,
  minor: MinorVersion,
  operation: Operation<Result>,
  context: CallContext,
): Promise<PlainReply<Result>> {
  for (let attempt = 0; ; attempt++) {
    const reply = await callOnce(connection, minor, operation, context);
    const busy = reply.status === "error" && reply.code === status.delay;
    if (!busy || !(await waitOut(attempt, context))) return reply;
  }
}

async function callOnce<Result>(
  connection: RpcConnection,
  minor: MinorVersion,
  operation: Operation<Result>,
  context: CallContext,
): Promise<PlainReply<Result>> {
  const { results } = await connection.call({
    program: nfs4Program,
    procedure: compoundProcedure,
    name: operation.name,
    credentials: context.credentials,
    deadlineMs: context.deadlineMs,
    signal: context.signal,
    encode: (writer) => {
      writeCompoundHeader(writer, minor, 1);
      writeOperation(writer, operation);
    },
  });
  const reply = readResults(results, readCompoundHeader(results), [operation]);
  return reply.status === "ok" ? { status: "ok", result: reply.results[0] as Result } : reply;
}
