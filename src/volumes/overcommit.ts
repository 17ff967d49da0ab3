import { BerthError } from "../core/errors.ts";

/** How many times a share's capacity may be promised: in thousandths, so that sums are exact. */
export interface Overcommit {
  readonly kind: "ratio";
  readonly thousandths: bigint;
}

/** As NFS users expect: nothing is counted against anything. */
export interface Unlimited {
  readonly kind: "unlimited";
}

export type OvercommitRule = Overcommit | Unlimited;

export const unlimited: Unlimited = { kind: "unlimited" };

/** What is wrong with the text of a rule, with the remedy; undefined for one that may be used. */
export function overcommitProblem(text: string): string | undefined {
  if (text === "unlimited") return undefined;
  if (/^[0-9]{1,4}(\.[0-9]{1,3})?$/.test(text) && thousandthsOf(text) > 0n) return undefined;
  return (
    `${JSON.stringify(text)} is no ratio: write how often the capacity may be promised, ` +
    'from "0.001" to "9999.999" ("1.0": never more than there is), or "unlimited"'
  );
}

/** @throws BerthError `invalid-argument` */
export function parseOvercommit(text: string): OvercommitRule {
  const problem = overcommitProblem(text);
  if (problem !== undefined) throw new BerthError("invalid-argument", `overcommit ${problem}`);
  return text === "unlimited" ? unlimited : { kind: "ratio", thousandths: thousandthsOf(text) };
}

/** The rule of a class; of the share, where the class has none. */
export function ruleOf(
  parameters: Readonly<Record<string, string>>,
  ofShare: OvercommitRule | undefined,
): OvercommitRule {
  const text = parameters["overcommit"];
  return text === undefined ? (ofShare ?? unlimited) : parseOvercommit(text);
}

/** How many bytes may be promised on a share in all. */
export function limitBytes({ thousandths }: Overcommit, totalBytes: bigint): bigint {
  return (totalBytes * thousandths) / 1000n;
}

/** `2`, `1.5` */
export function printOvercommit({ thousandths }: Overcommit): string {
  const fraction = `${thousandths % 1000n}`.padStart(3, "0").replace(/0+$/, "");
  return fraction === "" ? `${thousandths / 1000n}` : `${thousandths / 1000n}.${fraction}`;
}

function thousandthsOf(text: string): bigint {
  const [whole = "0", fraction = ""] = text.split(".");
  return BigInt(whole) * 1000n + BigInt(fraction.padEnd(3, "0"));
}
