import { existsSync, readFileSync } from "node:fs";
import { arch, platform } from "node:os";
import { BerthError } from "../../core/errors.ts";
import { missingPackages, type Program } from "../guest/packages.ts";
import { run } from "../guest/process.ts";
import { processorPrograms } from "../guest/wide-registers.ts";
import { type Tier, tiers } from "./site.ts";

export interface TierChoice {
  readonly tier: Tier;
  /** Of each better tier, why it cannot be. */
  readonly obstacles: readonly (readonly [Tier, string])[];
}

/** What a machine can do, as far as tiers hang on it. */
export interface MachineFacts {
  readonly isRoot: boolean;
  /** As Node.js names it: `x64`. */
  readonly architecture: string;
  readonly hasTun: boolean;
  readonly hasNfsClient: boolean;
  readonly memoryMib: number;
  /** The Debian packages that bring what is missing of these programs. */
  readonly missingPackages: (programs: readonly Program[]) => readonly string[];
}

const guestPrograms: readonly Program[] = [
  ...["linux.uml", "modprobe", "ip", "mount.nfs", "rpc.nfsd", "rpcbind"],
  ...["mkfs.xfs", "mkfs.ext4", "mkfs.btrfs", "setquota"],
  ...processorPrograms,
];
const namespacePrograms: readonly Program[] = ["ganesha.nfsd", "rpcbind", "mount.nfs", "ip"];
const guestMemoryMib = 1_200;

/** The best tier that the machine can have, or the one that is wanted. @throws BerthError `failed-precondition` when that one cannot be */
export function chooseTier(wanted: Tier | undefined, facts: MachineFacts): TierChoice {
  const obstacles: (readonly [Tier, string])[] = [];
  for (const tier of tiers) {
    const obstacle =
      wanted !== undefined && tier !== wanted ? "another was asked for" : obstacleTo(tier, facts);
    if (obstacle === undefined) return { tier, obstacles: wanted === undefined ? obstacles : [] };
    if (tier === wanted) {
      throw new BerthError("failed-precondition", `the lab cannot have tier ${tier} here: ${obstacle}`);
    }
    obstacles.push([tier, obstacle]);
  }
  throw new BerthError("internal", "every machine can have the tier directory");
}

/** @param isRoot whether this process is the machine's root, and not one of a user namespace only */
export async function machineFacts(isRoot: boolean): Promise<MachineFacts> {
  return {
    isRoot,
    architecture: platform() === "linux" ? arch() : platform(),
    hasTun: existsSync("/dev/net/tun"),
    hasNfsClient: await hasNfsClient(isRoot),
    memoryMib: availableMemoryMib(),
    missingPackages,
  };
}

function obstacleTo(tier: Tier, facts: MachineFacts): string | undefined {
  switch (tier) {
    case "guests":
      return obstacleToGuests(facts);
    case "namespaces":
      return obstacleToNamespaces(facts);
    case "directory":
      return undefined;
  }
}

function obstacleToGuests(facts: MachineFacts): string | undefined {
  if (facts.architecture !== "x64") {
    return `user-mode Linux is for amd64, and this machine is ${facts.architecture}`;
  }
  if (!facts.isRoot) return "its network needs root: sudo make demo";
  const packages = facts.missingPackages(guestPrograms);
  if (packages.length > 0) return missingText(packages);
  if (!facts.hasTun) return "there is no /dev/net/tun, through which guests reach their network";
  if (facts.memoryMib < guestMemoryMib) {
    return `its four guests may need ${guestMemoryMib} MiB, and ${facts.memoryMib} are free`;
  }
  return undefined;
}

function obstacleToNamespaces(facts: MachineFacts): string | undefined {
  if (!facts.isRoot) return "mounting NFS needs root: sudo make demo";
  if (!facts.hasNfsClient) return "this machine's kernel has no NFS client (modprobe nfs fails)";
  const packages = facts.missingPackages(namespacePrograms);
  return packages.length > 0 ? missingText(packages) : undefined;
}

function missingText(packages: readonly string[]): string {
  return `it needs packages: sudo apt-get install --no-install-recommends ${packages.join(" ")}`;
}

async function hasNfsClient(isRoot: boolean): Promise<boolean> {
  const isKnown = () => /\bnfs4\b/.test(readFileSync("/proc/filesystems", "utf8"));
  if (isKnown()) return true;
  if (!isRoot || missingPackages(["modprobe"]).length > 0) return false;
  await run(["modprobe", "-q", "nfsv4"]);
  return isKnown();
}

function availableMemoryMib(): number {
  const found = /^MemAvailable:\s*(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  return Math.floor(Number(found ?? 0) / 1024);
}
