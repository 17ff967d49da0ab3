import type { RpcConnection } from "../../rpc/connection.ts";
import { nfsLimits } from "../limits.ts";
import { status } from "../status.ts";
import type { MinorVersion } from "./compound.ts";
import { type CallContext, callPlain, type PlainReply } from "./plain-call.ts";
import { Session } from "./session.ts";
import {
  type ClientOwner,
  type CreatedSession,
  createSession,
  destroyClientid,
  destroySession,
  exchangeId,
  reclaimComplete,
} from "./session-operations.ts";

/** A session, and the client id that it belongs to. */
export interface LiveSession {
  readonly session: Session;
  readonly clientId: bigint;
}

/** Why there is none. */
export interface SetupFailure {
  readonly status: "error";
  readonly operation: string;
  readonly code: number;
}

export type SetupResult = { readonly status: "ok"; readonly live: LiveSession } | SetupFailure;

/**
 * EXCHANGE_ID, CREATE_SESSION, RECLAIM_COMPLETE (RFC 8881 §2.4, §2.10, §18.51): at the start, and
 * whenever a session was lost. Where the server still knows the owner it gives the same client id again.
 * @throws RpcError, XdrError, SessionLost
 */
export async function setUpSession(
  connection: RpcConnection,
  minor: MinorVersion,
  owner: ClientOwner,
  context: CallContext,
): Promise<SetupResult> {
  for (let attempt = 1; ; attempt++) {
    const exchanged = await callPlain(connection, minor, exchangeId(owner), context);
    if (exchanged.status === "error") return failure("EXCHANGE_ID", exchanged.code);
    const created = await callPlain(connection, minor, createSession(exchanged.result), context);
    if (created.status === "ok") {
      return await begin(connection, minor, exchanged.result.clientId, created.result, context);
    }
    if (!isOutdated(created) || attempt >= nfsLimits.recoveriesMax) {
      return failure("CREATE_SESSION", created.code);
    }
  }
}

/** The server restarted between the two: it wants to know us anew (RFC 8881 §18.36.3). */
function isOutdated(created: PlainReply<unknown>): boolean {
  if (created.status === "ok") return false;
  return created.code === status.staleClientid || created.code === status.seqMisordered;
}

async function begin(
  connection: RpcConnection,
  minor: MinorVersion,
  clientId: bigint,
  created: CreatedSession,
  context: CallContext,
): Promise<SetupResult> {
  const session = new Session(connection, minor, created);
  const reclaimed = await session.call([reclaimComplete], context);
  if (reclaimed.status === "error" && reclaimed.code !== status.completeAlready) {
    return failure("RECLAIM_COMPLETE", reclaimed.code);
  }
  return { status: "ok", live: { session, clientId } };
}

function failure(operation: string, code: number): SetupFailure {
  return { status: "error", operation, code };
}

/** Tells the server to forget us (RFC 8881 §18.37, §18.50); it would by itself after the lease. */
export async function tearDownSession(
  connection: RpcConnection,
  minor: MinorVersion,
  { session, clientId }: LiveSession,
  context: CallContext,
): Promise<void> {
  await callPlain(connection, minor, destroySession(session.sessionId), context);
  await callPlain(connection, minor, destroyClientid(clientId), context);
}
