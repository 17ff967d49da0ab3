import { once } from "node:events";
import { connect } from "node:net";
import type { Clock } from "../../core/clock.ts";

const everyMs = 20;

/** Resolves when something listens on a socket. Rejects with the signal's reason when it fires first. */
export async function listening(socketPath: string, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!(await accepts(socketPath))) await clock.sleep(everyMs, signal);
}

async function accepts(socketPath: string): Promise<boolean> {
  const socket = connect(socketPath);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // not there yet
  } finally {
    socket.destroy();
  }
}
