/** Whether an RPC server serves yet: asked with procedure 0, which every program has (RFC 5531 §12.1). */
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { BerthError } from "../../core/errors.ts";

export interface RpcService {
  readonly host: string;
  readonly port: number;
  /** 100003 is NFS, 100005 MOUNT, 100000 rpcbind. */
  readonly program: number;
  readonly version: number;
}

const askMsMax = 1000;
const askAgainMs = 20;
const xid = 0x62657274;

/**
 * Resolves when the service has answered; asks again as long as nothing listens or answers.
 * @param giveUp rejects when there is no use in waiting any longer, for instance because the server has ended
 * @throws BerthError `deadline-exceeded`
 */
export async function rpcReady(
  service: RpcService,
  timeoutMs: number,
  giveUp: Promise<never> = new Promise(() => {}),
): Promise<void> {
  const stop = new AbortController();
  try {
    await Promise.race([giveUp, askUntil(service, Date.now() + timeoutMs, stop.signal)]);
  } finally {
    stop.abort();
  }
}

async function askUntil(service: RpcService, deadlineMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (await answersNull(service)) return;
    if (Date.now() > deadlineMs) {
      throw new BerthError(
        "deadline-exceeded",
        `${service.host}:${service.port} did not answer NULL of RPC program ${service.program} version ${service.version} in time`,
      );
    }
    await delay(askAgainMs);
  }
}

/** True if the service accepted a NULL call. */
export async function answersNull(service: RpcService): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const socket = connect(service.port, service.host);
    let received = Buffer.alloc(0);
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(askMsMax, () => settle(false));
    socket.on("error", () => settle(false));
    socket.on("close", () => settle(false));
    socket.on("connect", () => socket.write(nullCall(service)));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 28) settle(isAccepted(received));
    });
  });
}

/** A record with one call: xid, CALL, RPC version 2, program, version, procedure 0, and no credentials twice. */
function nullCall(service: RpcService): Buffer {
  const words = [0x80000000 + 40, xid, 0, 2, service.program, service.version, 0, 0, 0, 0, 0];
  const record = Buffer.alloc(words.length * 4);
  for (const [index, word] of words.entries()) record.writeUInt32BE(word, index * 4);
  return record;
}

/** Record mark, xid, REPLY, MSG_ACCEPTED, verifier (flavour, length), SUCCESS. */
function isAccepted(reply: Buffer): boolean {
  return [xid, 1, 0, 0, 0, 0].every((word, index) => reply.readUInt32BE(4 + index * 4) === word);
}
