import type { Ganesha } from "../../test/nfs/ganesha.ts";
import { delayed } from "./delayed.ts";
import type { Job } from "./job.ts";
import { measure } from "./measured.ts";
import { ganeshaOn, type Medium, type Place, serverOf, versions } from "./place.ts";
import { atLeast, limitOf, type Row } from "./table.ts";

const depths = [1, 16, 64] as const;
const kinds = ["getattr", "mkdir"] as const;
/** At depth 64 on loopback. */
const perSecondMin = { getattr: 30_000, mkdir: 12_000 } as const;
const delaysMs = [0.5, 2.4] as const;

/** GETATTR and MKDIR a second, on one connection, with few and with many in flight. */
export async function* measureCalls(place: Place): AsyncGenerator<Row> {
  for (const medium of ["memory", "disk"] as const) {
    await using ganesha = await ganeshaOn(medium, place);
    yield* measureDepths(place, ganesha, medium, 0);
    if (medium === "disk") break;
    for (const delayMs of delaysMs) yield* measureDepths(place, ganesha, medium, delayMs);
  }
}

async function* measureDepths(
  place: Place,
  ganesha: Ganesha,
  medium: Medium,
  delayMs: number,
): AsyncGenerator<Row> {
  using way = delayMs === 0 ? undefined : await delayed(ganesha.nfsPort, delayMs);
  for (const kind of kinds) {
    for (const version of versions) {
      for (const depth of depths) {
        const count = Math.ceil(countOf(kind, medium, depth, delayMs) * place.scale);
        const job: Job = { kind, count, depth };
        const took = await measure(
          place.command,
          { server: serverOf(ganesha, version, way?.port), job },
          ganesha.pid,
        );
        const goal = medium === "memory" && depth === 64 && delayMs === 0 ? perSecondMin[kind] : undefined;
        const otherwise = medium === "disk" && kind === "mkdir" ? "disk" : "round trip";
        yield atLeast(
          `${kind.toUpperCase()}, NFS ${version}, depth ${depth}${told(medium, delayMs)}`,
          (took.items * 1000) / took.ms,
          "/s",
          goal,
          limitOf(took, otherwise),
        );
      }
    }
  }
}

function told(medium: Medium, delayMs: number): string {
  return `${medium === "disk" ? ", ext4 on a disk" : ""}${delayMs === 0 ? "" : `, ${delayMs} ms more`}`;
}

function countOf(kind: Job["kind"], medium: Medium, depth: number, delayMs: number): number {
  if (delayMs > 0) return depth * 500;
  if (medium === "disk" && kind === "mkdir") return 10_000;
  if (depth === 1) return 10_000;
  return kind === "getattr" ? 100_000 : 40_000;
}
