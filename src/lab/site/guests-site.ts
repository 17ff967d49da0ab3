import { Guest } from "../guest/guest.ts";
import { GuestNetwork } from "../guest/network.ts";
import { StorageGuest, type StorageOptions } from "../guest/storage.ts";
import { type Machine, quoted } from "../machine/machine.ts";
import { unprivilegedController } from "./controller-place.ts";
import { stageProgram } from "./program-directory.ts";
import { relayFlags } from "./relay.ts";
import type { NodeSite, Program, SharedStorage, Site } from "./site.ts";

export interface GuestsSiteOptions {
  readonly program: Program;
  readonly nodeCount: number;
  readonly driverName: string;
  readonly storage?: StorageOptions;
  readonly nodeMemoryMib?: number;
}

const kubeletDirectory = "/var/lib/kubelet";
const relayPort = 10_000;
const nodeMemoryMib = 256;
const nodeDiskBytes = 64 * 2 ** 20;
const oneXfs = { name: "xfs", type: "xfs", sizeBytes: 2 ** 30 } as const;

/** Boots storage and nodes at once. @throws BerthError `failed-precondition` where packages or root are missing */
export async function openGuestsSite(options: GuestsSiteOptions): Promise<Site> {
  const network = await GuestNetwork.open();
  try {
    const program = await stageProgram(network.room, options.program);
    const names = Array.from({ length: options.nodeCount }, (_, index) => `node-${index + 1}`);
    const [storage, [first, ...more]] = await Promise.all([
      StorageGuest.boot(network, { fileSystems: [oneXfs], ...options.storage }),
      Promise.all(names.map((name) => NodeGuest.boot(network, name, options))),
    ]);
    if (first === undefined) throw new TypeError("a lab has a node");
    return {
      ...{ tier: "guests", network, storage, program, nodes: [first, ...more] },
      controller: await unprivilegedController(network.room),
      share: exportOf(storage),
      [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
    };
  } catch (reason) {
    await network[Symbol.asyncDispose]();
    throw reason;
  }
}

/** The first file system is what the class's `export: nas` means. */
function exportOf(storage: StorageGuest): SharedStorage {
  const [first] = storage.fileSystems;
  if (first === undefined) throw new TypeError("a storage guest has a file system");
  const share = `/srv/${first.name}`;
  return {
    where: `${storage.address}:${share}`,
    server: storage.address,
    path: share,
    config: { exports: [{ name: "nas", server: storage.address, share }] },
    make: async (path, { uid, gid }) =>
      void (await storage.check(`mkdir -p ${quoted(path)}\nchown ${uid}:${gid} ${quoted(path)}`)),
    names: async () => (await storage.check(`ls -A ${share}`)).split("\n").filter(Boolean),
  };
}

class NodeGuest implements NodeSite {
  readonly name: string;
  readonly kubeletDirectory = kubeletDirectory;
  readonly socketPath: string;
  readonly configPath = "/run/berth.yaml";
  readonly runAs: readonly string[] = [];
  readonly #network: GuestNetwork;
  readonly #disk: string;
  readonly #memoryMib: number;
  #guest: Guest;

  private constructor(
    network: GuestNetwork,
    disk: string,
    guest: Guest,
    { driverName, nodeMemoryMib: memory = nodeMemoryMib }: GuestsSiteOptions,
  ) {
    this.name = guest.name;
    this.socketPath = `${kubeletDirectory}/plugins/${driverName}/csi.sock`;
    this.#network = network;
    this.#disk = disk;
    this.#memoryMib = memory;
    this.#guest = guest;
  }

  static async boot(network: GuestNetwork, name: string, options: GuestsSiteOptions): Promise<NodeGuest> {
    const directory = `/run/guests/${name}`;
    const disk = `${directory}/kubelet.disk`;
    const make = `mkdir -p ${directory}\ntruncate --size=${nodeDiskBytes} ${disk}\nmkfs.ext4 -q ${disk}`;
    await network.room.check(["sh", "-ec", make]);
    const memoryMib = options.nodeMemoryMib ?? nodeMemoryMib;
    const guest = await Guest.boot(network, { name, memoryMib, disks: [disk] });
    const node = new NodeGuest(network, disk, guest, options);
    await node.#prepare();
    return node;
  }

  get machine(): Machine {
    return this.#guest;
  }

  get target(): string {
    return `${this.#guest.address}:${relayPort}`;
  }

  get nodeFlags(): readonly string[] {
    return relayFlags(this.socketPath, this.#guest.address, relayPort);
  }

  async reboot(): Promise<void> {
    const { name, port } = this.#guest;
    await this.#guest.kill();
    const memoryMib = this.#memoryMib;
    this.#guest = await Guest.boot(this.#network, { name, port, memoryMib, disks: [this.#disk] });
    await this.#prepare();
  }

  /** Kubelet's directory lies on a disk, as a node's does: it survives a reboot. */
  async #prepare(): Promise<void> {
    await this.#guest.check(
      `modprobe -a nfs nfsv4\nmkdir -p ${kubeletDirectory}\nmount -t ext4 /dev/ubda ${kubeletDirectory}`,
    );
  }
}
