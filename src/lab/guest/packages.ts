import { existsSync } from "node:fs";
import { BerthError } from "../../core/errors.ts";

const directories = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** What stands behind a program: the part of Debian that brings it. */
const packageOf: Readonly<Record<string, string>> = {
  "ganesha.nfsd": "nfs-ganesha",
  "linux.uml": "user-mode-linux",
  "mkfs.btrfs": "btrfs-progs",
  "mkfs.ext4": "e2fsprogs",
  "mkfs.xfs": "xfsprogs",
  "mount.nfs": "nfs-common",
  "nfs-ls": "libnfs-utils",
  "rpc.nfsd": "nfs-kernel-server",
  ip: "iproute2",
  modprobe: "kmod",
  openssl: "openssl",
  rpcbind: "rpcbind",
  setquota: "quota",
  stunnel4: "stunnel4",
  tcc: "tcc",
};

export type Program = keyof typeof packageOf & string;

/** The Debian packages that bring those of the programs that are not here, in the order of their names. */
export function missingPackages(programs: readonly Program[]): string[] {
  return [...new Set(missingPrograms(programs).map((name) => packageOf[name] ?? name))].sort();
}

function missingPrograms(programs: readonly Program[]): Program[] {
  return programs.filter((name) => !directories.some((path) => existsSync(`${path}/${name}`)));
}

/** @throws BerthError `failed-precondition` that names the missing packages and the command that installs them */
export function requirePrograms(programs: readonly Program[]): void {
  const missing = missingPrograms(programs);
  if (missing.length > 0) {
    const packages = missingPackages(missing).join(" ");
    throw new BerthError(
      "failed-precondition",
      `this machine lacks ${missing.join(", ")} (${packages}): run sudo tools/install-debian.sh`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new BerthError(
      "failed-precondition",
      "servers and guests need namespaces and mounts of their own: run as root",
    );
  }
}
