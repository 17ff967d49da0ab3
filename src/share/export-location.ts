import { isIP } from "node:net";
import { BerthError } from "../core/errors.ts";
import { meansBerthsFolder } from "./share-path.ts";

/** Where an NFS export is. */
export interface ExportLocation {
  /** A DNS name or an address; IPv6 without brackets. */
  readonly server: string;
  /** The path that the server exports, or one below it: absolute, without `.`, `..` or a slash at the end. */
  readonly share: string;
}

const hostName = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?$/;

/** What is wrong with a server's name, with the remedy; undefined for one that may be used. */
export function serverProblem(server: string): string | undefined {
  if (isIP(server) !== 0 || hostName.test(server)) return undefined;
  return `${JSON.stringify(server)} is neither a DNS name nor an address: write nas.example.com, 10.0.0.5 or fd00::5`;
}

/** What is wrong with an export's path, with the remedy; undefined for one that may be used. */
export function sharePathProblem(share: string): string | undefined {
  const problem = (cause: string, remedy: string) => `${JSON.stringify(share)} ${cause}: ${remedy}`;
  if (!share.startsWith("/")) return problem("is not absolute", "start it with '/'");
  if (/\p{Cc}/u.test(share)) return problem("has a control character", "leave it out");
  if (share !== "/" && share.endsWith("/")) return problem("ends with '/'", "leave that out");
  const parts = share.slice(1).split("/");
  if (share !== "/" && parts.some((part) => part === "" || part === "." || part === "..")) {
    return problem("has an empty component, '.' or '..'", "write the path itself");
  }
  if (parts.some(meansBerthsFolder)) {
    return problem("leads into .berth, where Berth keeps its records", "name a directory outside it");
  }
  return undefined;
}

/** `server:/share`, IPv6 in brackets: as mount(8) has it, and as the id of a volume names an export. */
export function printLocation({ server, share }: ExportLocation): string {
  return `${isIP(server) === 6 ? `[${server}]` : server}:${share}`;
}

/** The reverse of `printLocation`; undefined for a text that it does not print. */
export function parseLocation(text: string): ExportLocation | undefined {
  const [, address, name, share] = /^(?:\[([^\]]+)\]|([^:/]+)):(\/.*)$/s.exec(text) ?? [];
  const server = address ?? name;
  if (server === undefined || share === undefined) return undefined;
  if (serverProblem(server) !== undefined || sharePathProblem(share) !== undefined) return undefined;
  const location = { server, share };
  return printLocation(location) === text ? location : undefined;
}

/** @throws BerthError `invalid-argument` */
export function checkLocation({ server, share }: ExportLocation): void {
  const [bad, problem] =
    serverProblem(server) !== undefined
      ? ["server", serverProblem(server)]
      : ["share", sharePathProblem(share)];
  if (problem !== undefined) {
    throw new BerthError("invalid-argument", `StorageClass parameter ${bad} ${problem}`);
  }
}
