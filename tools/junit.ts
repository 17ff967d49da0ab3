/** One spec of a Ginkgo run. */
export interface Spec {
  readonly name: string;
  readonly status: string;
  /** What Ginkgo says of a spec that failed. */
  readonly failure: string;
}

/** The specs of a JUnit report as Ginkgo 2 writes it; its nodes around the suite are none. */
export function parseJunit(xml: string): Spec[] {
  return [...xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)]
    .map(([, attributes = "", body = ""]) => ({
      name: attribute(attributes, "name").replace(/^\[It\] /, ""),
      status: attribute(attributes, "status"),
      failure: attribute(/<(?:failure|error)\b([^>]*)/.exec(body)?.[1] ?? "", "message"),
    }))
    .filter(({ name, status }) => !/^\[[A-Z]/.test(name) || status !== "passed");
}

function attribute(attributes: string, name: string): string {
  const text = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return text.replaceAll(/&(#x?[0-9a-fA-F]+|lt|gt|quot|apos|amp);/g, (_, entity: string) =>
    character(entity),
  );
}

const named: ReadonlyMap<string, string> = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
  ["amp", "&"],
]);

function character(entity: string): string {
  const code = entity.replace(/^#x/, "0x").replace(/^#/, "");
  return named.get(entity) ?? String.fromCodePoint(Number(code));
}

/**
 * What is wrong with a run, a line for each spec; nothing if only the allowed specs were skipped. A spec
 * that csi-sanity itself has switched off ("pending") is a skip like any other: it must be listed.
 */
export function problemsOf(specs: readonly Spec[], allowedSkips: readonly string[]): string[] {
  const isSkip = ({ status }: Spec) => status === "skipped" || status === "pending";
  const skipped = specs.filter(isSkip).map(({ name }) => name);
  const failed = specs.filter((spec) => spec.status !== "passed" && !isSkip(spec));
  return [
    ...failed.map(
      ({ name, status, failure }) => `${status}: ${name}\n    ${failure.replaceAll("\n", "\n    ")}`,
    ),
    ...skipped
      .filter((name) => !allowedSkips.includes(name))
      .map((name) => `skipped, but not listed: ${name}`),
    ...allowedSkips
      .filter((name) => !skipped.includes(name))
      .map((name) => `listed, but not skipped: ${name}`),
  ];
}
