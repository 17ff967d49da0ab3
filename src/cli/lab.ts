import { Command } from "commander";
import { demoCommand } from "./lab/demo.ts";

/** `berth lab`: a small cluster on this machine. */
export function labCommand(): Command {
  return new Command("lab")
    .description("a small cluster on this machine, to watch the driver at work")
    .addCommand(demoCommand());
}
