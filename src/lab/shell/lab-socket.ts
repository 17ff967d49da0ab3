/**
 * The socket of a running lab, over which `berth lab shell` asks for machines and shells. It lies in a memory
 * file system that only the lab's mount namespace has, and so goes with the lab, however that ends; from
 * outside root, and whoever started the lab, reaches it through `/proc/<pid>/root`.
 *
 * A client sends one line of JSON, an `Ask`; the lab answers with one line, an `Answer`. After a shell's
 * answer the connection carries the shell's input and output.
 */
import { createServer, type Socket } from "node:net";
import { BerthError } from "../../core/errors.ts";
import { run } from "../guest/process.ts";
import type { Lab } from "../lab.ts";
import { firstLine } from "./first-line.ts";
import { machinesOf, openShell, type Shell } from "./open-shell.ts";

export const socketDirectory = "/run/berth-lab";
export const labSocketPath = `${socketDirectory}/lab.sock`;

export type Ask =
  | { readonly ask: "machines" }
  | {
      readonly ask: "shell";
      readonly machine: string;
      readonly rows: number;
      readonly columns: number;
      readonly term: string;
    }
  | { readonly ask: "resize"; readonly shell: number; readonly rows: number; readonly columns: number }
  | { readonly ask: "log"; readonly component: string }
  | { readonly ask: "run"; readonly machine: string; readonly script: string };

export type Answer =
  | { readonly error: string }
  | { readonly tier: string; readonly machines: readonly string[] }
  | { readonly shell: number }
  | { readonly log: string }
  | { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

const runMsMax = 3_600_000;

/** Serves the socket for as long as the process lives. Must run in a mount namespace of the lab's own. */
export async function serveLabSocket(lab: Lab): Promise<void> {
  const script = `mount -t tmpfs -o mode=755 berth-lab /run\nmkdir -m 700 ${socketDirectory}`;
  const { exitCode, stderr } = await run(["sh", "-ec", script]);
  if (exitCode !== 0)
    throw new BerthError("failed-precondition", `cannot make ${socketDirectory}: ${stderr}`);
  const shells = new Map<number, Shell>();
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy()); // a client that has gone
    void serve(lab, shells, socket);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(labSocketPath, resolve);
  await promise;
}

async function serve(lab: Lab, shells: Map<number, Shell>, socket: Socket): Promise<void> {
  const answer = (text: Answer) => socket.write(`${JSON.stringify(text)}\n`);
  try {
    const ask = await askFrom(socket);
    if (ask.ask === "shell") return await serveShell(lab, shells, socket, ask);
    if (ask.ask === "machines") answer({ tier: lab.tier, machines: [...machinesOf(lab).keys()] });
    if (ask.ask === "log") answer({ log: await logOf(lab, ask.component) });
    if (ask.ask === "run") answer(await runOn(lab, ask));
    if (ask.ask === "resize") await shells.get(ask.shell)?.resize(ask.rows, ask.columns);
  } catch (reason) {
    answer({ error: BerthError.from(reason).message });
  }
  socket.end();
}

async function serveShell(
  lab: Lab,
  shells: Map<number, Shell>,
  socket: Socket,
  ask: Extract<Ask, { ask: "shell" }>,
): Promise<void> {
  const shell = await openShell(lab, ask.machine, ask);
  const number = shells.size + 1;
  shells.set(number, shell);
  socket.write(`${JSON.stringify({ shell: number })}\n`);
  const { stream } = shell;
  stream.on("error", () => socket.destroy());
  socket.on("close", () => stream.destroy());
  stream.pipe(socket);
  socket.pipe(stream);
}

async function runOn(lab: Lab, { machine, script }: Extract<Ask, { ask: "run" }>): Promise<Answer> {
  const found = machinesOf(lab).get(machine);
  if (found !== undefined) return await found.exec(script, { timeoutMs: runMsMax });
  const names = [...machinesOf(lab).keys()].join(", ");
  throw new BerthError("not-found", `the lab has no machine ${machine}: there are ${names}`);
}

async function logOf({ drivers }: Lab, component: string): Promise<string> {
  const found = drivers.find((driver) => driver.component === component);
  if (found !== undefined) return await found.log();
  const names = drivers.map((driver) => driver.component).join(", ");
  throw new BerthError("not-found", `no driver runs for ${component}: there are ${names}`);
}

/** Only root and the lab's owner reach the socket: what they send is taken as it is. */
async function askFrom(socket: Socket): Promise<Ask> {
  const ask: Ask = JSON.parse(await firstLine(socket, "a client"));
  return ask;
}
