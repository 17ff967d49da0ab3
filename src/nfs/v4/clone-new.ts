import type { NewClone } from "../client.ts";
import { clone } from "./clone.ts";
import { closeNew, openNew } from "./create.ts";
import { putfh, savefh } from "./filehandle.ts";
import type { Operation } from "./operation.ts";
import type { CompoundRunner } from "./runner.ts";
import { setattr } from "./setattr.ts";

/**
 * A new file with its source's content, by OPEN (RFC 8881 §18.16) and CLONE (RFC 7862 §15.13). It is closed
 * before it is cloned: so a CLONE that fails leaves nothing open at the server.
 */
export function cloneNew(
  clientId: bigint,
  { source, directory, name, created, whole }: NewClone,
): readonly Operation<void>[] {
  return [
    putfh(source),
    savefh,
    putfh(directory),
    openNew(clientId, name, created),
    closeNew,
    clone({ sourceOffset: 0n, targetOffset: 0n, lengthBytes: 0n }),
    setattr(whole),
  ];
}

const operationsEach = 7;

/** How many one compound holds, and the answer that the server keeps of it; 0 where not even one. */
export function clonesPerCompound({ operationsMax, limits }: CompoundRunner): number {
  const byOperations = Math.floor(operationsMax / operationsEach);
  const byReply = Math.floor((limits.cachedBytesMax - replyHeaderBytes) / replyBytesEach);
  return Math.min(byOperations, byReply);
}

/** RPC header and SEQUENCE; and what a server answers to the operations of one clone, with some room. */
const replyHeaderBytes = 128;
const replyBytesEach = 192;
