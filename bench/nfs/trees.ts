import type { ConnectOptions, NfsVersion } from "../../src/nfs/index.ts";
import type { Ganesha } from "../../test/nfs/ganesha.ts";
import { delayed } from "./delayed.ts";
import type { Job } from "./job.ts";
import { makeTree } from "./make-tree.ts";
import { measure } from "./measured.ts";
import { ganeshaOn, type Medium, type Place, serverOf, versions } from "./place.ts";
import { atLeast, atMost, limitOf, type Row } from "./table.ts";

const walkPerSecondMin = 250_000;
const removePerSecondMin = 10_000;
const residentMbMax = 100;

/** Walk, usage and remove of 100,000 files: from memory, from a disk, and with a longer way. */
export async function* measureTrees(place: Place): AsyncGenerator<Row> {
  for (const medium of ["memory", "disk"] as const) {
    await using ganesha = await ganeshaOn(medium, place);
    for (const version of versions) yield* measureTree(place, ganesha, medium, version);
    if (medium === "disk") break;
    using way = await delayed(ganesha.nfsPort, 0.5);
    for (const version of versions) yield* measureTree(place, ganesha, medium, version, way.port);
  }
}

async function* measureTree(
  place: Place,
  ganesha: Ganesha,
  medium: Medium,
  version: NfsVersion,
  port?: number,
): AsyncGenerator<Row> {
  const files = 100_000 * Math.max(place.scale, 0.5);
  const name = `tree-${version}-${port ?? ""}`;
  makeTree(`${ganesha.directory("data")}/${name}`, files);
  const server = serverOf(ganesha, version, port);
  const far = port === undefined ? "" : ", 0.5 ms more";
  const what = (work: string) =>
    `${work} of ${files.toLocaleString("en")} files, NFS ${version}${medium === "disk" ? ", ext4 on a disk" : ""}${far}`;
  const otherwise = medium === "disk" ? "disk" : "round trip";
  const near = port === undefined && medium === "memory";
  const rate = async (work: string, job: Job, goal?: number) => {
    const took = await measure(place.command, { server, job }, ganesha.pid);
    return atLeast(what(work), (took.items * 1000) / took.ms, "entries/s", goal, limitOf(took, otherwise));
  };
  // What the server makes of each entry that it does not know yet is more than the goal leaves on two CPUs.
  yield await rate("first walk", { kind: "walk", name });
  const again: Job = { kind: "walk", name, times: 5 };
  yield await rate("five further walks", again, near ? walkPerSecondMin : undefined);
  yield await rate("usage", { kind: "usage", name });
  yield await rate("remove", { kind: "remove", name }, near ? removePerSecondMin : undefined);
}

/** What is resident in the client during work on a tree of a million entries. */
export async function* measureMillion(place: Place): AsyncGenerator<Row> {
  const files = 1_000_000 * place.scale;
  for (const version of versions) {
    await using ganesha = await ganeshaOn("memory", place);
    makeTree(`${ganesha.directory("data")}/million`, files);
    for (const kind of ["walk", "usage", "remove"] as const) {
      const server: ConnectOptions = serverOf(ganesha, version);
      const took = await measure(place.command, { server, job: { kind, name: "million" } }, ganesha.pid);
      const rate = Math.round((took.items * 1000) / took.ms).toLocaleString("en");
      yield atMost(
        `resident at most: ${kind} of ${files.toLocaleString("en")} files, NFS ${version} (${rate}/s)`,
        took.residentMb,
        "MB",
        residentMbMax,
        limitOf(took, "round trip"),
      );
    }
  }
}
