import { Command, InvalidArgumentError } from "commander";
import { type BenchOptions, bench } from "./nfs/bench.ts";
import { makeDirectory, move, remove } from "./nfs/change.ts";
import { type CopyCommandOptions, copy } from "./nfs/copy.ts";
import { get } from "./nfs/get.ts";
import { cat, diskFree, diskUsage, type PrintOptions, stat } from "./nfs/inspect.ts";
import { list } from "./nfs/list.ts";
import { exports, ping } from "./nfs/ping.ts";
import { type PutOptions, put } from "./nfs/put.ts";
import { exitCodesHelp, runCommand, type Work } from "./nfs/run.ts";

const targetHelp = "server:/path, or nfs://server[:port]/path?version=3&uid=1000 …";

const help = `
A target is server:/path, or a URL with more to say:
nfs://server[:port]/path?name=value&…
  version=3|4.1|4.2              default: the best that the server offers
  sourcePort=auto|any|reserved   reserved: below 1024, as "secure" exports want
  uid=1000&gid=1000&gids=10,20   whom to act as; default 0, often squashed
  mountPort=20048                of MOUNT (version 3); default as rpcbind says
  tls=on&ca=FILE&serverName=NAME TLS around the connection, as stunnel does it

Examples:
  berth nfs ping nas:/srv/data                      does it let me in?
  berth nfs exports nas                             what it exports, and to whom
  berth nfs ls -l "nfs://nas/srv/data?version=3"
  berth nfs du nas:/srv/data/projects
  berth nfs cp -r nas:/srv/data/a nas:/srv/data/b   on the server where it can
  berth nfs put backup.tar nas:/srv/data/backup.tar
  berth nfs bench nas:/srv/data/scratch             how fast it is
${exitCodesHelp}`;

/** `berth nfs`: the NFS client as a tool, without a mount and without privileges. */
export function nfsCommand(): Command {
  const nfs = new Command("nfs")
    .summary("look at, measure, copy and remove what lies on an NFS export")
    .description("Looks at, measures, copies and removes what lies on an NFS export, without a mount.")
    .addHelpText("after", help);
  addInspection(nfs);
  addChanges(nfs);
  addTransfers(nfs);
  return nfs;
}

function addInspection(nfs: Command): void {
  on(nfs, "ping", "connects step by step, and says why if the server refuses", ping);
  on(
    nfs,
    "exports",
    "lists what a server exports, and to whom (MOUNT; servers of 4 alone have none)",
    exports,
  );
  on(nfs, "ls", "lists a directory", list)
    .option("-l, --long", "with mode, owner, size and time")
    .option("-R, --recursive", "with all below, in no order");
  on(nfs, "stat", "what the server says of one thing", stat);
  on(nfs, "df", "space and inodes, as a quota leaves them", diskFree);
  on(nfs, "du", "what a tree takes", diskUsage);
  command(nfs, "cat", "writes a file to standard output")
    .argument("<target>", targetHelp)
    .action((target: string) => runCommand(false, (work) => cat(target, work)));
  on(nfs, "bench", "how fast it is; writes in a directory of its own there, and removes it", bench)
    .option("--seconds <n>", "for each kind of call", positive, 2)
    .option("--size-mib <n>", "of the file that is written and read", positive, 256);
}

function addChanges(nfs: Command): void {
  on(nfs, "mkdir", "makes a directory", makeDirectory).option(
    "-p, --parents",
    "those above too, and no failure when it is there",
  );
  on(nfs, "rm", "removes a file, or with -r a tree", remove).option(
    "-r, --recursive",
    "directories with all below; run again after a cut it goes on",
  );
  command(nfs, "cp", "copies a file, or with -r a tree; on the server where it can, and says which way")
    .argument("<source>", targetHelp)
    .argument("<target>", "a name that is free")
    .option("-r, --recursive", "directories with all below")
    .option("--resume", "go on after a cut: keeps files that are copied already")
    .option("--json", "for programs")
    .action((source: string, target: string, options: CopyCommandOptions) =>
      runCommand(options.json, (work) => copy(source, target, options, work)),
    );
  command(nfs, "mv", "renames within one export")
    .argument("<source>", targetHelp)
    .argument("<target>", "a file there is replaced, and an empty directory")
    .option("--json", "for programs")
    .action((source: string, target: string, options: PrintOptions) =>
      runCommand(options.json, (work) => move(source, target, options, work)),
    );
}

function addTransfers(nfs: Command): void {
  command(nfs, "get", "copies a file of the server to this machine")
    .argument("<source>", targetHelp)
    .argument("<path>", "a local path that is free")
    .option("--json", "for programs")
    .action((source: string, path: string, options: PrintOptions) =>
      runCommand(options.json, (work) => get(source, path, options, work)),
    );
  command(nfs, "put", "copies a file of this machine to the server; returns when it is on the server's disk")
    .argument("<path>", "a local file or pipe, or - for standard input")
    .argument("<target>", `a name that is free: ${targetHelp}`)
    .option("--replace", "a file there goes, at once, when the new one is on the server's disk")
    .option("--json", "for programs")
    .action((path: string, target: string, options: PutOptions) =>
      runCommand(options.json, (work) => put(path, target, options, work)),
    );
}

/** A command about one target, with `--json`. */
function on<Options extends PrintOptions = BenchOptions>(
  nfs: Command,
  name: string,
  description: string,
  run: (target: string, options: Options, work: Work) => Promise<void>,
): Command {
  return command(nfs, name, description)
    .argument("<target>", targetHelp)
    .option("--json", "for programs: one JSON value a line")
    .action((target: string, options: Options) =>
      runCommand(options.json, (work) => run(target, options, work)),
    );
}

function command(nfs: Command, name: string, description: string): Command {
  return nfs.command(name).description(description).addHelpText("after", exitCodesHelp);
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1_000_000)) throw new InvalidArgumentError("it must be a number above 0");
  return value;
}
