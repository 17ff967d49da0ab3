import { chown, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { startGanesha } from "../guest/ganesha.ts";
import { GuestNetwork } from "../guest/network.ts";
import { Room } from "../guest/room.ts";
import { unprivilegedController } from "./controller-place.ts";
import { roomNode } from "./directory-site.ts";
import { stageProgram } from "./program-directory.ts";
import type { NodeSite, Program, Site } from "./site.ts";

export interface NamespacesSiteOptions {
  readonly program: Program;
  readonly nodeCount: number;
  readonly driverName: string;
}

const exportName = "data";

/**
 * Nodes that are mount and network namespaces of this machine, whose kernel mounts what NFS-Ganesha serves on
 * a network that nobody else is on.
 */
export async function openNamespacesSite(options: NamespacesSiteOptions): Promise<Site> {
  const everything = new AsyncDisposableStack();
  try {
    const network = everything.use(await GuestNetwork.open());
    const program = await stageProgram(network.room, options.program);
    const address = network.roomAddress;
    const server = everything.use(await startGanesha({ within: network.room, address }));
    const names = Array.from({ length: options.nodeCount }, (_, index) => `node-${index + 1}`);
    const makeNode = async (name: string): Promise<NodeSite> => {
      const room = everything.use(await Room.open({ network: true, within: network.room }));
      await network.attach(room);
      return await roomNode(name, room, options.driverName);
    };
    const [first, ...more] = await Promise.all(names.map(makeNode));
    if (first === undefined) throw new TypeError("a lab has a node");
    const controller = await unprivilegedController(network.room);
    const owned = everything.move();
    const share = `/srv/${exportName}`;
    return {
      ...{ tier: "namespaces", controller, nodes: [first, ...more], program, network, storage: undefined },
      share: {
        where: `${address}:${share}`,
        ...{ server: address, path: share },
        config: { exports: [{ name: "nas", server: address, share }] },
        make: async (path, { uid, gid }) => {
          const directory = join(server.directory(exportName), path.slice(share.length));
          await mkdir(directory, { recursive: true });
          await chown(directory, uid, gid);
        },
        names: async () => await readdir(server.directory(exportName)),
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (reason) {
    await everything.disposeAsync();
    throw reason;
  }
}
