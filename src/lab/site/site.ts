/** What a tier of the lab is made of: machines, and storage that they share. */
import type { GuestNetwork } from "../guest/network.ts";
import type { StorageGuest } from "../guest/storage.ts";
import type { Machine } from "../machine/machine.ts";

/**
 * - `guests`: user-mode Linux: a storage guest with the kernel's NFS server on XFS, and a guest for each node;
 * - `namespaces`: the kernel of this machine as NFS client, NFS-Ganesha as server;
 * - `directory`: a local directory that all nodes see, and no NFS.
 */
export const tiers = ["guests", "namespaces", "directory"] as const;
export type Tier = (typeof tiers)[number];

/** The program under test, as it ships: one file, and the Node.js that runs it. */
export interface Program {
  readonly node: string;
  /** Of Node.js. */
  readonly flags: readonly string[];
  readonly bundle: string;
}

/** Where a part of the driver runs. */
export interface DriverPlace {
  /** The machine that is there now: another one after a reboot. */
  readonly machine: Machine;
  /** Where the driver listens, as it sees it. */
  readonly socketPath: string;
  /** Where the lab reaches that, as gRPC names it. */
  readonly target: string;
  /** Node.js flags that it needs to be reached. */
  readonly nodeFlags: readonly string[];
  /** Where its configuration is written. */
  readonly configPath: string;
  /** What stands before its command: it need not be root. */
  readonly runAs: readonly string[];
}

export interface NodeSite extends DriverPlace {
  readonly name: string;
  readonly kubeletDirectory: string;
  /** As pulling the plug and booting again: no process is left, and of files what had reached the disk. */
  reboot(): Promise<void>;
}

/** What the driver's configuration has of the shared storage. */
export interface SharedStorage {
  /** In people's words: `10.70.3.1:/srv/xfs`. */
  readonly where: string;
  /** The NFS server's address; undefined where there is none. */
  readonly server: string | undefined;
  /** The path that it exports, or the directory that all machines see. */
  readonly path: string;
  /** For the configuration file. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Makes a directory at or below `path`, if it is not there, and gives it to somebody. */
  make(path: string, owner: { readonly uid: number; readonly gid: number }): Promise<void>;
  /** The names at its root. */
  names(): Promise<string[]>;
}

export interface Site extends AsyncDisposable {
  readonly tier: Tier;
  readonly controller: DriverPlace;
  readonly nodes: readonly [NodeSite, ...NodeSite[]];
  readonly share: SharedStorage;
  /** Paths of the program as every machine of the site has them. */
  readonly program: Program;
  /** Of the tier `guests` only. */
  readonly storage: StorageGuest | undefined;
  readonly network: GuestNetwork | undefined;
}
