/** Finds running labs from outside, and speaks to one. */
import { readdirSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { BerthError } from "../../core/errors.ts";
import { firstLine } from "./first-line.ts";
import { type Answer, type Ask, labSocketPath } from "./lab-socket.ts";

/** The sockets of all labs that this user may reach, each by the lowest process number that sees it. */
export function findLabs(): string[] {
  const found = new Map<string, string>();
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  for (const pid of pids.sort((one, other) => Number(one) - Number(other))) {
    const path = `/proc/${pid}/root${labSocketPath}`;
    const identity = identityOf(path);
    if (identity !== undefined && !found.has(identity)) found.set(identity, path);
  }
  return [...found.values()];
}

/**
 * The one lab that runs.
 * @param pid of one of its processes, to tell it from others
 * @throws BerthError `not-found`, or `failed-precondition` when there are several
 */
export function findLab(pid?: number): string {
  const labs = pid === undefined ? findLabs() : [`/proc/${pid}/root${labSocketPath}`];
  const [first, second] = labs.filter((path) => identityOf(path) !== undefined);
  if (first === undefined) {
    throw new BerthError(
      "not-found",
      "no lab runs here that you may enter: start one with berth lab up, or berth lab demo --keep",
    );
  }
  if (second !== undefined) {
    const pids = labs.map((path) => path.split("/")[2]);
    throw new BerthError(
      "failed-precondition",
      `several labs run here (processes ${pids.join(", ")}): say which with --lab <process>`,
    );
  }
  return first;
}

/** Sends one question. @returns the answer, and the connection with what follows it */
export async function askLab(
  socketPath: string,
  ask: Ask,
): Promise<{ readonly answer: Answer; readonly socket: Socket }> {
  const socket = connect(socketPath);
  socket.write(`${JSON.stringify(ask)}\n`);
  const line = await firstLine(socket, "the lab");
  const answer: Answer = JSON.parse(line);
  return { answer, socket };
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined; // none there, or not ours to see
  }
}
