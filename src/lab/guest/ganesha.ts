/**
 * NFS-Ganesha, a real NFS server in user space (v3, v4.0, v4.1), on loopback ports of its own unless it is told
 * another address:
 *
 *     await using server = await startGanesha({ exports: [{ name: "data", squash: "Root_Squash" }] });
 *
 * It lives in a room: its exports are memory file systems, its fixed paths (`/run/ganesha`, `/var/lib/nfs`)
 * and its rpcbind are its own, so any number run side by side and nothing is left behind. The rpcbind has a
 * network that nobody reaches: clients are given both ports.
 */
import { randomInt } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { BerthError } from "../../core/errors.ts";
import { requirePrograms } from "./packages.ts";
import { pause, type Tied } from "./process.ts";
import { Room } from "./room.ts";
import { rpcReady } from "./rpc-ready.ts";

export interface GaneshaExport {
  /** Mounted as `/srv/<name>`, with every version. */
  readonly name: string;
  readonly access?: "RW" | "RO" | "None";
  readonly squash?: "No_Root_Squash" | "Root_Squash" | "All_Squash";
  /** Only source ports below 1024, as `secure` of the kernel's server. */
  readonly privilegedPort?: boolean;
  readonly security?: "sys" | "krb5";
  /** Addresses that are admitted; all unless given. */
  readonly clients?: readonly string[];
  readonly protocols?: readonly (3 | 4)[];
  /** Of the memory file system; 1 GiB and a million unless given. */
  readonly sizeBytes?: number;
  readonly inodes?: number;
  /** A directory of this machine in place of a memory file system. */
  readonly directory?: string;
}

export interface GaneshaOptions {
  /** One export `data`, open to all, unless given. */
  readonly exports?: readonly GaneshaExport[];
  /** A loopback address unless it has a network; `::1` works. */
  readonly address?: string;
  /** The room whose network it serves, on the ports that clients expect, 2049 and 20048. */
  readonly within?: Room;
  readonly leaseSeconds?: number;
  /** After a start clients may only reclaim for so long; without it there is no grace period. */
  readonly graceSeconds?: number;
  /** In v4, as clients with AUTH_SYS want it; default true. Else `root@localdomain`. */
  readonly numericOwners?: boolean;
  readonly minorVersions?: readonly (0 | 1)[];
  /** How many files it remembers before it forgets others; its own default, 100,000, unless given. */
  readonly cachedFilesMax?: number;
}

export interface Ganesha extends AsyncDisposable {
  /** Of the server's process; undefined while it does not run. */
  readonly pid: number | undefined;
  readonly address: string;
  readonly nfsPort: number;
  readonly mountPort: number;
  /** Where this process finds the files of an export. */
  directory(name: string): string;
  /** What the server has logged. */
  log(): Promise<string>;
  /** As an administrator stops it; the exports stay. */
  stop(): Promise<void>;
  /** As a crash; the exports stay. */
  kill(): Promise<void>;
  /** On the same ports, with the same exports and what clients it remembers. Resolves when it serves. */
  start(): Promise<void>;
  /** It hangs: connections stay, nothing is answered. */
  pause(): Promise<void>;
  resume(): void;
}

const readyMsMax = 30_000;
const usualPorts = [2049, 20048] as const;
/** From the first on, below the second. */
const ownPorts = [21_000, 32_000] as const;
const nfsProgram = 100003;
const quiet = ["ignore", "ignore", "ignore"] as const;

/** @throws BerthError `failed-precondition` where packages or root are missing; `unavailable` with the log when it does not start */
export async function startGanesha(options: GaneshaOptions = {}): Promise<Ganesha> {
  requirePrograms(["ganesha.nfsd", "rpcbind"]);
  const exports = options.exports ?? [{ name: "data" }];
  const address = options.address ?? "127.0.0.1";
  const { within } = options;
  const [nfsPort, mountPort] = within === undefined ? await freePorts(address) : usualPorts;
  const room = await Room.open({ network: false, ...(within === undefined ? {} : { within }) });
  try {
    await prepare(room, exports);
    await writeFile(room.path("/run/ganesha.conf"), configuration(options, exports, nfsPort, mountPort));
    const server = new GaneshaInRoom(room, address, nfsPort, mountPort, exports);
    await server.start();
    return server;
  } catch (reason) {
    await room[Symbol.asyncDispose]();
    throw reason;
  }
}

class GaneshaInRoom implements Ganesha {
  readonly address: string;
  readonly nfsPort: number;
  readonly mountPort: number;
  readonly #room: Room;
  readonly #version: number;
  #rpcbind: Tied | undefined;
  #server: Tied | undefined;

  constructor(
    room: Room,
    address: string,
    nfsPort: number,
    mountPort: number,
    exports: readonly GaneshaExport[],
  ) {
    this.#room = room;
    this.address = address;
    this.nfsPort = nfsPort;
    this.mountPort = mountPort;
    this.#version = exports.some((each) => protocolsOf(each).includes(4)) ? 4 : 3;
  }

  get pid(): number | undefined {
    return this.#server?.pid;
  }

  directory(name: string): string {
    return this.#room.path(`/srv/${name}`);
  }

  async log(): Promise<string> {
    return await readFile(this.#room.path("/run/ganesha.log"), "utf8").catch(() => "");
  }

  async start(): Promise<void> {
    this.#rpcbind ??= await startRpcbind(this.#room);
    const command = ["ganesha.nfsd", "-F", "-L", "/run/ganesha.log", "-f", "/run/ganesha.conf"];
    const server = await this.#room.start([...command, "-p", "/run/ganesha.pid"], quiet);
    this.#server = server;
    const { address: host, nfsPort: port } = this;
    await rpcReady(
      { host, port, program: nfsProgram, version: this.#version },
      readyMsMax,
      this.#ended(server),
    );
  }

  async stop(): Promise<void> {
    await this.#server?.kill("SIGTERM");
  }

  async kill(): Promise<void> {
    await this.#server?.kill();
  }

  async pause(): Promise<void> {
    if (this.#server !== undefined) await pause(this.#server.pid);
  }

  resume(): void {
    this.#server?.child.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#room[Symbol.asyncDispose]();
  }

  async #ended(server: Tied): Promise<never> {
    await server.exited;
    const log = await this.log();
    throw new BerthError("unavailable", `NFS-Ganesha did not start; its log ends with: ${log.slice(-3000)}`);
  }
}

/**
 * Ganesha reaches it by its socket in the file system, which a network namespace does not hide. It becomes
 * another user, which undoes the signal that ties it: so it gets a shell as the init of a process
 * namespace, and ends with that.
 */
async function startRpcbind(room: Room): Promise<Tied> {
  const unshare = ["unshare", "--net", "--pid", "--fork", "--kill-child"];
  const rpcbind = await room.start([...unshare, "sh", "-c", "rpcbind -f -w; exit $?"], quiet);
  const listening = "until [ -S /run/rpcbind.sock ]; do sleep 0.01; done";
  await room.check(["sh", "-c", listening], { timeoutMs: 10_000 });
  return rpcbind;
}

async function prepare(room: Room, exports: readonly GaneshaExport[]): Promise<void> {
  const mounts = exports.map((each) => {
    const path = `/srv/${each.name}`;
    if (each.directory !== undefined) return `mkdir ${path}; mount --bind '${each.directory}' ${path}`;
    const size = `size=${each.sizeBytes ?? 2 ** 30},nr_inodes=${each.inodes ?? 1_000_000}`;
    return `mkdir ${path}; mount -t tmpfs -o mode=755,${size} berth-export ${path}`;
  });
  const own = [
    "mount -t tmpfs -o mode=755 berth-srv /srv",
    "mount -t tmpfs -o mode=755 berth-nfs /var/lib/nfs",
    "mkdir /run/ganesha /var/lib/nfs/ganesha",
  ];
  await room.check(["sh", "-ec", [...own, ...mounts].join("\n")]);
}

function configuration(
  options: GaneshaOptions,
  exports: readonly GaneshaExport[],
  nfsPort: number,
  mountPort: number,
): string {
  const minorVersions = options.minorVersions ?? [0, 1];
  const { cachedFilesMax } = options;
  const cache = cachedFilesMax === undefined ? "" : `MDCACHE { Entries_HWMark = ${cachedFilesMax}; }`;
  const grace =
    options.graceSeconds === undefined ? "Graceless = true;" : `Grace_Period = ${options.graceSeconds};`;
  return `
NFS_CORE_PARAM {
  NFS_Port = ${nfsPort}; MNT_Port = ${mountPort}; Bind_addr = ${options.address ?? "127.0.0.1"};
  Protocols = 3,4; Enable_NLM = false; Enable_RQUOTA = false;
}
NFSv4 {
  Lease_Lifetime = ${options.leaseSeconds ?? 20}; ${grace}
  RecoveryBackend = fs; Only_Numeric_Owners = ${options.numericOwners ?? true}; Minor_Versions = ${minorVersions.join(",")};
}
${cache}
${exports.map(exportBlock).join("\n")}
`;
}

function exportBlock(each: GaneshaExport, index: number): string {
  const access = `Access_Type = ${each.access ?? "RW"}; Squash = ${each.squash ?? "No_Root_Squash"};`;
  const admitted =
    each.clients === undefined
      ? access
      : `Access_Type = None; CLIENT { Clients = ${each.clients.join(",")}; ${access} }`;
  return `
EXPORT {
  Export_Id = ${index + 1}; Path = /srv/${each.name}; Pseudo = /srv/${each.name};
  ${admitted}
  SecType = ${each.security ?? "sys"}; Protocols = ${protocolsOf(each).join(",")}; Transports = TCP;
  PrivilegedPort = ${each.privilegedPort ?? false};
  FSAL { Name = VFS; }
}`;
}

function protocolsOf(each: GaneshaExport): readonly (3 | 4)[] {
  return each.protocols ?? [3, 4];
}

/**
 * Two ports that are free, below those that the kernel gives to connections (32768 and up unless told otherwise, ip(7)):
 * so no connection takes them before the server does, or while it is restarted.
 */
async function freePorts(address: string): Promise<[number, number]> {
  const held: Server[] = [];
  try {
    return [await holdPort(held, address), await holdPort(held, address)];
  } finally {
    for (const server of held) server.close();
  }
}

/** Until the server in `held` is closed. */
async function holdPort(held: Server[], address: string): Promise<number> {
  for (;;) {
    const port = randomInt(...ownPorts);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve, reject) => {
      server.once("error", (error) =>
        "code" in error && error.code === "EADDRINUSE" ? resolve(false) : reject(error),
      );
      server.listen(port, address, () => resolve(true));
    });
    if (!isFree) continue;
    held.push(server);
    return port;
  }
}
