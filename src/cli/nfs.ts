import { Command } from "commander";
import { copy, type MakeOptions, makeDirectory, move, type RemoveOptions, remove } from "./nfs/change.ts";
import { cat, diskFree, diskUsage, type ListOptions, list, type PrintOptions, stat } from "./nfs/inspect.ts";
import { ping } from "./nfs/ping.ts";
import { exitCodesHelp, runCommand } from "./nfs/run.ts";
import { get, put } from "./nfs/transfer.ts";

const targetHelp = "server:/path, or nfs://server[:port]/path?version=3&sourcePort=reserved&uid=0";

/** `berth nfs`: the NFS client as a tool, without a mount and without privileges. */
export function nfsCommand(): Command {
  const nfs = new Command("nfs")
    .summary("look at, measure, copy and remove what lies on an NFS export")
    .description("Looks at, measures, copies and removes what lies on an NFS export, without a mount.");
  inspect(nfs, "ping", "connects, and says why if the server refuses").action(
    (target: string, options: PrintOptions) =>
      runCommand(options.json === true, (signal) => ping(target, options, signal)),
  );
  inspect(nfs, "ls", "lists a directory")
    .option("-l, --long", "with mode, owner, size and time")
    .option("-R, --recursive", "with all below, in no order")
    .action((target: string, options: ListOptions) =>
      runCommand(options.json === true, (signal) => list(target, options, signal)),
    );
  inspect(nfs, "stat", "what the server says of one thing").action((target: string, options: PrintOptions) =>
    runCommand(options.json === true, (signal) => stat(target, options, signal)),
  );
  inspect(nfs, "df", "space and inodes, as a quota leaves them").action(
    (target: string, options: PrintOptions) =>
      runCommand(options.json === true, (signal) => diskFree(target, options, signal)),
  );
  inspect(nfs, "du", "what a tree takes").action((target: string, options: PrintOptions) =>
    runCommand(options.json === true, (signal) => diskUsage(target, options, signal)),
  );
  inspect(nfs, "rm", "removes a file, or with -r a tree")
    .option("-r, --recursive", "directories with all below")
    .action((target: string, options: RemoveOptions) =>
      runCommand(options.json === true, (signal) => remove(target, options, signal)),
    );
  command(nfs, "cat", "writes a file to standard output")
    .argument("<target>", targetHelp)
    .action((target: string) => runCommand(false, (signal) => cat(target, signal)));
  command(nfs, "mkdir", "makes a directory")
    .argument("<target>", targetHelp)
    .option("-p, --parents", "those above too, and no failure when it is there")
    .action((target: string, options: MakeOptions) =>
      runCommand(false, (signal) => makeDirectory(target, options, signal)),
    );
  command(nfs, "cp", "copies a file, or with -r a tree; on the server where it can")
    .argument("<source>", targetHelp)
    .argument("<target>", "a name that is free")
    .option("-r, --recursive", "directories with all below")
    .option("--json", "for programs")
    .action((source: string, target: string, options: RemoveOptions) =>
      runCommand(options.json === true, (signal) => copy(source, target, options, signal)),
    );
  command(nfs, "mv", "renames within one export")
    .argument("<source>", targetHelp)
    .argument("<target>", "a file there is replaced")
    .action((source: string, target: string) => runCommand(false, (signal) => move(source, target, signal)));
  command(nfs, "get", "copies a file of the server to this machine")
    .argument("<source>", targetHelp)
    .argument("<path>", "a local path that is free")
    .action((source: string, path: string) => runCommand(false, (signal) => get(source, path, signal)));
  command(nfs, "put", "copies a file of this machine to the server")
    .argument("<path>", "a local file")
    .argument("<target>", `a name that is free: ${targetHelp}`)
    .action((path: string, target: string) => runCommand(false, (signal) => put(path, target, signal)));
  return nfs;
}

function command(nfs: Command, name: string, description: string): Command {
  return nfs.command(name).description(description).addHelpText("after", exitCodesHelp);
}

function inspect(nfs: Command, name: string, description: string): Command {
  return command(nfs, name, description).argument("<target>", targetHelp).option("--json", "for programs");
}
