import { Command, InvalidArgumentError, Option } from "commander";
import { BerthError } from "../../core/errors.ts";

interface ShellFlags {
  readonly command?: string;
  readonly lab?: number;
}

interface LogFlags {
  readonly lab?: number;
  readonly json?: true;
}

/** `berth lab shell [MACHINE]` */
export function shellCommand(): Command {
  return new Command("shell")
    .description("a shell on a machine of a lab that runs")
    .argument("[machine]", "node-1, node-2, …, or storage; without it, which there are")
    .addOption(new Option("-c, --command <script>", "run this and print what it says, instead of a terminal"))
    .addOption(labOption())
    .addHelpText("after", explanation)
    .action(async (machine: string | undefined, { command, lab }: ShellFlags) => {
      const { findLab } = await import("../../lab/shell/find-lab.ts");
      const socketPath = findLab(lab);
      if (machine === undefined) await list(socketPath);
      else if (command !== undefined) await run(socketPath, machine, command);
      else await attach(socketPath, machine);
    });
}

/** `berth lab log COMPONENT` */
export function logCommand(): Command {
  return new Command("log")
    .description("what a process of the driver has logged in a lab that runs")
    .argument("<component>", "controller, node-1, node-2, …")
    .addOption(labOption())
    .addOption(new Option("--json", "as the driver writes it: one JSON object a line"))
    .addHelpText("after", "\nExamples:\n  berth lab log node-1\n  berth lab log controller --json | jq .msg")
    .action(async (component: string, { lab, json }: LogFlags) => {
      const { askLab, findLab } = await import("../../lab/shell/find-lab.ts");
      const { answer, socket } = await askLab(findLab(lab), { ask: "log", component });
      socket.destroy();
      if (!("log" in answer)) throw unexpected(answer);
      process.stdout.write(json === true ? answer.log : await forPeople(answer.log));
    });
}

/** @param log the lines of a driver; what is no JSON, such as the last words of a crash, stays as it is */
async function forPeople(log: string): Promise<string> {
  const { textStream } = await import("../../observe/text-log.ts");
  const said: string[] = [];
  const stream = textStream({ write: (line) => said.push(line) }, process.stdout.isTTY === true);
  for (const line of log.trimEnd().split("\n")) stream.write(line);
  return said.join("");
}

const labOption = () =>
  new Option("--lab <process>", "which lab, by the number of one of its processes").argParser(parsePid);

const explanation = `
Enters a lab that berth lab up, or --keep, lets run: as root, or as the user who
started it. In the tier guests each machine is a kernel of its own, on a copy of
this machine's files that it may write to as it likes.

What is worth a look there:
  on a node: findmnt -t nfs4      the volumes, by server and directory
             mountstats           the kernel's NFS client at work
  on storage: ls -la /srv/xfs/.berth/volumes      what Berth knows of volumes
              exportfs -v; xfs_quota -xc report   the server's side
What the driver says: berth lab log node-1

Exit codes: with -c the script's; else 0, 1 without such a lab or machine.

Examples:
  berth lab shell node-1
  berth lab shell storage -c 'ls -A /srv/xfs'`;

async function list(socketPath: string): Promise<void> {
  const { askLab } = await import("../../lab/shell/find-lab.ts");
  const { answer, socket } = await askLab(socketPath, { ask: "machines" });
  socket.destroy();
  if (!("machines" in answer)) throw unexpected(answer);
  process.stdout.write(`a lab of tier ${answer.tier}:\n${answer.machines.join("\n")}\n`);
}

async function run(socketPath: string, machine: string, script: string): Promise<void> {
  const { askLab } = await import("../../lab/shell/find-lab.ts");
  const { answer, socket } = await askLab(socketPath, { ask: "run", machine, script });
  socket.destroy();
  if (!("exitCode" in answer)) throw unexpected(answer);
  process.stdout.write(answer.stdout);
  process.stderr.write(answer.stderr);
  process.exitCode = answer.exitCode;
}

/** Our terminal becomes the shell's: every key goes there, and its size follows ours. */
async function attach(socketPath: string, machine: string): Promise<void> {
  const { askLab } = await import("../../lab/shell/find-lab.ts");
  const { stdin, stdout } = process;
  const size = () => ({ rows: stdout.rows ?? 24, columns: stdout.columns ?? 80 });
  const term = process.env["TERM"] ?? "dumb";
  const { answer, socket } = await askLab(socketPath, { ask: "shell", machine, term, ...size() });
  if (!("shell" in answer)) throw unexpected(answer);
  const { shell } = answer;
  stdout.on("resize", () => {
    void askLab(socketPath, { ask: "resize", shell, ...size() }).catch(() => {}); // the shell has its old size then
  });
  if (stdin.isTTY) stdin.setRawMode(true);
  try {
    stdin.pipe(socket);
    for await (const chunk of socket) stdout.write(chunk);
  } finally {
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.unref();
    stdin.destroy();
  }
}

function unexpected(answer: object): BerthError {
  const text = "error" in answer ? String(answer.error) : `the lab answered ${JSON.stringify(answer)}`;
  return new BerthError("unavailable", text);
}

function parsePid(text: string): number {
  const pid = Number(text);
  if (Number.isInteger(pid) && pid > 0) return pid;
  throw new InvalidArgumentError("Give the number of a process.");
}
