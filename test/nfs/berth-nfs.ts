import { run } from "../../src/lab/guest/process.ts";
import type { Ganesha } from "./ganesha.ts";

const entry = `
  const { nfsCommand } = await import("${new URL("../../src/cli/nfs.ts", import.meta.url)}");
  await nfsCommand().parseAsync(process.argv.slice(1), { from: "user" });`;

/** The command line that runs `berth nfs` from its sources. */
export function berthNfsCommand(...args: string[]): readonly string[] {
  return [process.execPath, "--input-type=module", "-e", entry, "--", ...args];
}

/** Runs `berth nfs` to its end. */
export async function berthNfs(...args: string[]) {
  return await run(berthNfsCommand(...args));
}

/** A path in Ganesha's export `data`. */
export function urlOf(
  { address, nfsPort, mountPort }: Pick<Ganesha, "address" | "nfsPort" | "mountPort">,
  path: string,
  version: string,
): string {
  return `nfs://${address}:${nfsPort}/srv/data${path}?version=${version}&mountPort=${mountPort}`;
}
