import { InvalidArgumentError, Option } from "commander";
import { type Tier, tiers } from "../../lab/site/site.ts";

/** Flags of every command that starts a lab. */
export interface LabFlags {
  readonly tier?: Tier;
  readonly nodes: number;
}

/** The rule about two nodes needs two; the lanes of more would leave no room for text. */
const nodesMin = 1;
const nodesMax = 12;

export const tierOption = () =>
  new Option(
    "--tier <tier>",
    "what the machines are made of (default: the best that this one can have)",
  ).choices(tiers);

export const nodesOption = (atLeast = nodesMin) =>
  new Option("--nodes <count>", `how many nodes, ${atLeast} to ${nodesMax}`)
    .default(3)
    .argParser((text) => parseNodes(text, atLeast));

function parseNodes(text: string, atLeast: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= atLeast && count <= nodesMax) return count;
  throw new InvalidArgumentError(`Give a whole number from ${atLeast} to ${nodesMax}.`);
}
