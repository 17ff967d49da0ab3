/** A shell with a terminal of its own on a machine of the lab. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { assert } from "../../core/assert.ts";
import { BerthError } from "../../core/errors.ts";
import type { Lab } from "../lab.ts";
import { type Machine, quoted } from "../machine/machine.ts";
import { RoomMachine } from "../machine/room-machine.ts";
import { firstLine } from "./first-line.ts";

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
  /** The terminal's kind, as `TERM` has it. */
  readonly term: string;
}

export interface Shell {
  readonly stream: Duplex;
  resize(rows: number, columns: number): Promise<void>;
}

const connectMsMax = 10_000;

/** The machines that a shell can be had on, by name. */
export function machinesOf({ site, nodes }: Lab): ReadonlyMap<string, Machine> {
  const machines = new Map<string, Machine>(nodes.map(({ name, site: node }) => [name, node.machine]));
  if (site.storage !== undefined) machines.set("storage", site.storage.guest);
  return machines;
}

export async function openShell(lab: Lab, name: string, size: TerminalSize): Promise<Shell> {
  const machine = machinesOf(lab).get(name);
  if (machine === undefined) {
    const names = [...machinesOf(lab).keys()].join(", ");
    throw new BerthError("not-found", `the lab has no machine ${name}: there are ${names}`);
  }
  const terminalFile = `/run/terminal-${randomBytes(8).toString("hex")}`;
  const stream =
    machine instanceof RoomMachine
      ? await shellInRoom(machine, size, terminalFile)
      : await shellInGuest(lab, machine, size, terminalFile);
  return {
    stream,
    async resize(rows, columns) {
      await machine.exec(`stty -F "$(cat ${terminalFile})" rows ${rows} cols ${columns}`);
    },
  };
}

/** Makes a terminal of whatever its input and output are. */
function terminalScript({ rows, columns, term }: TerminalSize, terminalFile: string): string {
  const inner = `tty > ${terminalFile}; stty sane rows ${rows} cols ${columns}; export TERM=${quoted(term)} HOME=/root; cd; exec bash -i`;
  return `exec script --quiet --flush --echo always --command ${quoted(inner)} /dev/null`;
}

async function shellInRoom(machine: RoomMachine, size: TerminalSize, terminalFile: string): Promise<Duplex> {
  const command = ["sh", "-c", terminalScript(size, terminalFile)];
  const { child } = await machine.room.start(command, ["pipe", "pipe", "pipe"]);
  const { stdin, stdout } = child;
  assert(stdin !== null && stdout !== null, "a shell has pipes");
  return Duplex.from({ writable: stdin, readable: stdout });
}

/** The guest calls us: it has the network, and bash can connect. The nonce tells its call from another's. */
async function shellInGuest(
  lab: Lab,
  machine: Machine,
  size: TerminalSize,
  terminalFile: string,
): Promise<Duplex> {
  const { network } = lab.site;
  assert(network !== undefined, "guests have a network");
  const nonce = randomBytes(16).toString("hex");
  const server = createServer();
  server.listen(0, network.hostAddress);
  await once(server, "listening");
  const address = server.address();
  assert(address !== null && typeof address !== "string", "a TCP server has a port");
  const call = `exec 5<>/dev/tcp/${address.address}/${address.port}
echo ${nonce} >&5
${terminalScript(size, terminalFile)} <&5 >&5 2>&5`;
  try {
    await machine.start(`exec 3>&-\nexec bash -c ${quoted(call)}`);
    return await callFrom(server, nonce);
  } finally {
    server.close();
  }
}

async function callFrom(server: ReturnType<typeof createServer>, nonce: string): Promise<Duplex> {
  const signal = AbortSignal.timeout(connectMsMax);
  for (;;) {
    const [socket]: Socket[] = await once(server, "connection", { signal });
    if (socket !== undefined && (await saysNonce(socket, nonce))) return socket;
    socket?.destroy();
  }
}

async function saysNonce(socket: Socket, nonce: string): Promise<boolean> {
  socket.on("error", () => socket.destroy());
  return (await firstLine(socket, "a guest").catch(() => "")) === nonce;
}
