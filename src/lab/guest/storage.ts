/**
 * A guest that serves NFS: the kernel's own server (v3, v4.1, v4.2) on XFS with reflink and project quotas,
 * ext4 and btrfs. A path is the same for every version: `10.70.3.1:/srv/xfs`.
 *
 *     await using storage = await StorageGuest.boot(network);
 *     await storage.setExports([{ path: "/srv/xfs", options: ["secure", "root_squash"] }]);
 */
import type { ExecOptions } from "../machine/machine.ts";
import { Guest } from "./guest.ts";
import type { GuestNetwork } from "./network.ts";
import { requirePrograms } from "./packages.ts";
import { rpcReady } from "./rpc-ready.ts";
import {
  type FileSystem,
  type KernelExport,
  limitScript,
  makeDisks,
  mountScript,
  serveScript,
  setExportsScript,
  startServerScript,
} from "./storage-scripts.ts";

export interface StorageOptions {
  readonly name?: string;
  readonly memoryMib?: number;
  /** Where its disks lie: a new directory of this machine, whose disk then is the server's. In memory unless given. */
  readonly diskDirectory?: string;
  /** One of each type, named after it, unless given. */
  readonly fileSystems?: readonly FileSystem[];
  /** All file systems, open to everyone, unless given. */
  readonly exports?: readonly KernelExport[];
  /** Of a client's state, and of the grace period; the kernel takes no less than 10. */
  readonly leaseSeconds?: number;
}

const readyMsMax = 10_000;
const oneOfEach: readonly FileSystem[] = [
  { name: "xfs", type: "xfs" },
  { name: "ext4", type: "ext4" },
  { name: "btrfs", type: "btrfs" },
];

export class StorageGuest implements AsyncDisposable {
  readonly fileSystems: readonly FileSystem[];
  readonly #network: GuestNetwork;
  readonly #options: StorageOptions;
  readonly #disks: readonly string[];
  #exports: readonly KernelExport[];
  #guest: Guest;
  #projects = 0;

  private constructor(
    network: GuestNetwork,
    options: StorageOptions,
    fileSystems: readonly FileSystem[],
    disks: readonly string[],
    guest: Guest,
  ) {
    this.fileSystems = fileSystems;
    this.#network = network;
    this.#options = options;
    this.#disks = disks;
    this.#exports = options.exports ?? fileSystems.map(({ name }) => ({ path: `/srv/${name}` }));
    this.#guest = guest;
  }

  /** Resolves when it serves. @throws BerthError as `Guest.boot` */
  static async boot(network: GuestNetwork, options: StorageOptions = {}): Promise<StorageGuest> {
    requirePrograms(["rpc.nfsd", "rpcbind", "mkfs.xfs", "mkfs.ext4", "mkfs.btrfs", "setquota"]);
    const name = options.name ?? "storage";
    const fileSystems = options.fileSystems ?? oneOfEach;
    const disks = await makeDisks(network.room, options.diskDirectory ?? `/run/guests/${name}`, fileSystems);
    const guest = await Guest.boot(network, { name, memoryMib: options.memoryMib ?? 512, disks });
    const storage = new StorageGuest(network, options, fileSystems, disks, guest);
    await storage.#serve();
    return storage;
  }

  /** The same after a crash. */
  get address(): string {
    return this.#guest.address;
  }

  /** The machine that serves now; another one after a crash. */
  get guest(): Guest {
    return this.#guest;
  }

  /** Runs a shell script on the server; see `Guest.check`. */
  async check(script: string, options?: ExecOptions): Promise<string> {
    return await this.#guest.check(script, options);
  }

  /** Replaces all exports, as an administrator edits exports(5); mounts of what stays are not disturbed. */
  async setExports(exports: readonly KernelExport[]): Promise<void> {
    this.#exports = exports;
    await this.check(setExportsScript(exports));
  }

  /** Ends the NFS server: its connections are closed and all state of clients but their names is lost. */
  async stopServer(): Promise<void> {
    await this.check("rpc.nfsd 0");
  }

  /** Starts it: clients that it knew by name may reclaim for the length of a lease, or until `endGrace`. */
  async startServer(): Promise<void> {
    await this.check(startServerScript(this.#leaseSeconds));
    await this.#isReady();
  }

  async endGrace(): Promise<void> {
    await this.check("echo Y > /proc/fs/nfsd/v4_end_grace");
  }

  /** Pulls the plug and boots again, under the same address, from what had reached the disks. */
  async crash(): Promise<void> {
    const { name, port } = this.#guest;
    await this.#guest.kill();
    const memoryMib = this.#options.memoryMib ?? 512;
    this.#guest = await Guest.boot(this.#network, { name, port, memoryMib, disks: this.#disks });
    await this.#serve();
  }

  /** A new directory whose whole tree may hold so much: a project of XFS or ext4, a subvolume of btrfs. */
  async makeLimitedDirectory(fileSystem: string, name: string, limitBytes: number): Promise<void> {
    const found = this.fileSystems.find((each) => each.name === fileSystem);
    if (found === undefined) throw new TypeError(`no file system ${fileSystem}`);
    this.#projects += 1;
    await this.check(limitScript(found, name, this.#projects, limitBytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#guest.kill();
  }

  get #leaseSeconds(): number {
    return this.#options.leaseSeconds ?? 10;
  }

  async #serve(): Promise<void> {
    const scripts = [mountScript(this.fileSystems), serveScript(this.#leaseSeconds, this.#exports)];
    await this.check(scripts.join("\n"));
    await this.#isReady();
  }

  async #isReady(): Promise<void> {
    await rpcReady({ host: this.address, port: 2049, program: 100003, version: 4 }, readyMsMax);
  }
}
