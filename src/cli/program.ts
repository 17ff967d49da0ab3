import { Command } from "commander";
import { allCommand } from "./driver/all.ts";
import { controllerCommand } from "./driver/controller.ts";
import { nodeCommand } from "./driver/node.ts";
import { labCommand } from "./lab.ts";
import { nfsCommand } from "./nfs.ts";
import { trashCommand } from "./trash.ts";
import { versionCommand, versionText } from "./version.ts";

/** What the process exits with. */
export const exitCodes = { ok: 0, failed: 1, badUsage: 2, unread: 141 } as const;

/**
 * The command line. What commands need beyond their flags they import when they run: `berth node`
 * has no use for the controller, and a node has many pods that would like the memory.
 */
export function createProgram(): Command {
  const program = new Command("berth")
    .description(
      "Gives every PersistentVolumeClaim its own directory on storage that many claims share: a CSI driver, and a lab to watch it.",
    )
    .version(versionText, "--version", "as berth version")
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText("after", "\nEach command has its own --help: berth controller --help");
  const commands = [
    controllerCommand,
    nodeCommand,
    allCommand,
    trashCommand,
    nfsCommand,
    labCommand,
    versionCommand,
  ];
  for (const command of commands.map((make) => make())) {
    program.addCommand(command);
  }
  complete(program, "berth");
  return program;
}

/** Commander hands settings down only to commands that it makes itself. @param words that call the command */
function complete(command: Command, words: string): void {
  command
    .helpCommand(false)
    .configureOutput({ outputError: (text, write) => write(`${oneLine(text)}; see ${words} --help\n`) });
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    complete(child, `${words} ${child.name()}`);
  }
}

/** `error: unknown option '--nod'\n(Did you mean --node-id?)\n` on one line, in our name. */
function oneLine(text: string): string {
  return text
    .replace(/^error: /, "berth: ")
    .trim()
    .replaceAll(/\.?\s*\n\s*/g, " ")
    .replace(/\.$/, "");
}
