import { BerthError } from "../../core/errors.ts";
import { Room } from "../guest/room.ts";
import { type Machine, quoted } from "../machine/machine.ts";
import { RoomMachine } from "../machine/room-machine.ts";
import { roomDirectory, stageProgram } from "./program-directory.ts";
import type { NodeSite, Program, Site } from "./site.ts";

export interface DirectorySiteOptions {
  readonly program: Program;
  readonly nodeCount: number;
  readonly driverName: string;
}

const shareDirectory = `${roomDirectory}/share`;

/** Nodes that are mount namespaces of this machine, and a memory file system that they all see. */
export async function openDirectorySite(options: DirectorySiteOptions): Promise<Site> {
  const everything = new AsyncDisposableStack();
  try {
    const room = everything.use(await Room.open({ network: false }));
    const program = await stageProgram(room, options.program);
    // A file system of its own, as an NFS export is one: mount tables then tell it from everything else.
    const mount = `mount -t tmpfs -o size=64m,mode=755 share ${shareDirectory}`;
    await room.check(["sh", "-ec", `mkdir ${shareDirectory} /run/controller\n${mount}`]);
    const names = Array.from({ length: options.nodeCount }, (_, index) => `node-${index + 1}`);
    const rooms = await Promise.all(names.map(() => Room.open({ network: false, within: room })));
    for (const each of rooms) everything.use(each);
    const nodes = rooms.map((each, index) => roomNode(names[index] ?? "", each, options.driverName));
    const [first, ...more] = await Promise.all(nodes);
    if (first === undefined) throw new TypeError("a lab has a node");
    const owned = everything.move();
    const socketPath = "/run/controller/csi.sock";
    return {
      tier: "directory",
      controller: {
        machine: new RoomMachine("controller", room),
        ...{ socketPath, target: `unix://${room.path(socketPath)}`, nodeFlags: [], runAs: [] },
        configPath: "/run/controller/berth.yaml",
      },
      nodes: [first, ...more],
      share: {
        where: shareDirectory,
        ...{ server: undefined, path: shareDirectory },
        config: { directories: [{ name: "default", path: shareDirectory }] },
        make: async (path) => void (await room.check(["mkdir", "-p", path])), // root of a user namespace is all it has
        names: async () =>
          (await room.check(["ls", "-A", shareDirectory])).split("\n").filter((name) => name !== ""),
      },
      ...{ program, storage: undefined, network: undefined },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (reason) {
    await everything.disposeAsync();
    throw reason;
  }
}

/** A node that is a room. Its kubelet's directory lies in the room's memory. */
export async function roomNode(name: string, room: Room, driverName: string): Promise<NodeSite> {
  const kubeletDirectory = "/run/kubelet";
  const machine: Machine = new RoomMachine(name, room);
  await machine.check(`mkdir -p ${quoted(kubeletDirectory)}`);
  const socketPath = `${kubeletDirectory}/plugins/${driverName}/csi.sock`;
  return {
    ...{ name, kubeletDirectory, machine, socketPath, nodeFlags: [], runAs: [] },
    target: `unix://${room.path(socketPath)}`,
    configPath: "/run/berth.yaml",
    reboot: async () => {
      const text = `${name} is a part of this machine, and cannot be rebooted: use the tier guests`;
      throw new BerthError("failed-precondition", text);
    },
  };
}
