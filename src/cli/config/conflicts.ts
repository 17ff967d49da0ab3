/** What is wrong between entries of a configuration that are right by themselves. */
import type { YamlSource } from "./yaml-source.ts";

type Named = { readonly name: string };

export function refuseNamesakes<T extends Named>(
  source: YamlSource<unknown>,
  key: string,
  shares: readonly T[],
  whereOf: (share: T) => string,
): void {
  for (const [index, share] of shares.entries()) {
    const namesake = shares.slice(0, index).find(({ name }) => name === share.name);
    if (namesake === undefined) continue;
    throw source.errorAt(
      [key, index, "name"],
      `${share.name} names ${whereOf(namesake)} too: choose another`,
    );
  }
}

export function refuseUnknownExports(
  source: YamlSource<unknown>,
  named: readonly string[],
  exports: readonly Named[],
): void {
  const known = exports.map(({ name }) => name);
  const index = named.findIndex((each) => !known.includes(each));
  if (index < 0) return;
  const problem = `${named[index]} is no export of this file: name one of ${known.join(", ") || "those under exports"}`;
  throw source.errorAt(["ephemeral", "exports", index], problem);
}

/** Two shares of which one lies in the other would hold each other's volumes. */
export function refuseOverlaps<T extends Named>(
  source: YamlSource<unknown>,
  key: string,
  shares: readonly T[],
  whereOf: (share: T) => string,
): void {
  for (const [index, share] of shares.entries()) {
    const where = whereOf(share);
    const overlap = shares
      .slice(0, index)
      .find((other) => contains(whereOf(other), where) || contains(where, whereOf(other)));
    if (overlap === undefined) continue;
    const problem = `${where} and ${whereOf(overlap)} of ${overlap.name} overlap: one's volumes would lie in the other; choose another`;
    throw source.errorAt([key, index, key === "directories" ? "path" : "share"], problem);
  }
}

function contains(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith("/") ? outer : `${outer}/`);
}
