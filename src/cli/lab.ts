import { Command } from "commander";
import { demoCommand } from "./lab/demo.ts";
import { runCommand, upCommand } from "./lab/run.ts";
import { logCommand, shellCommand } from "./lab/shell.ts";

/** `berth lab`: a small cluster on this machine. */
export function labCommand(): Command {
  return new Command("lab")
    .description("a small cluster on this machine, to watch the driver at work")
    .addCommand(demoCommand())
    .addCommand(runCommand())
    .addCommand(upCommand())
    .addCommand(shellCommand())
    .addCommand(logCommand());
}
