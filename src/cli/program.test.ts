import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Command, CommanderError } from "commander";
import { createProgram } from "./program.ts";

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that ends before its command begins. */
async function run(...words: string[]): Promise<Run> {
  const said = { stdout: "", stderr: "" };
  const program = createProgram();
  for (const { command } of commandsOf(program)) {
    command.configureOutput({
      writeOut: (text) => {
        said.stdout += text;
      },
      writeErr: (text) => {
        said.stderr += text;
      },
      getOutHelpWidth: () => 80,
    });
  }
  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    assert.ok(error instanceof CommanderError, `no error of commander's: ${error}`);
    return { exitCode: error.exitCode, ...said };
  }
  return assert.fail(`${words.join(" ")} is good, and began`);
}

/** A command and all below it, each with the words that call it. */
function commandsOf(command: Command, words: string[] = []): { command: Command; words: string[] }[] {
  const below = command.commands.flatMap((child) => commandsOf(child, [...words, child.name()]));
  return [{ command, words }, ...below];
}

describe("--help", () => {
  for (const { command, words } of commandsOf(createProgram())) {
    const line = ["berth", ...words].join(" ");
    test(`of ${line} says how to call it, what it does, and each of its flags, in 80 columns`, async () => {
      const { exitCode, stdout, stderr } = await run(...words, "--help");
      assert.equal(exitCode, 0);
      assert.equal(stderr, "");
      assert.ok(stdout.startsWith(`Usage: ${line} `), stdout);
      assert.notEqual(command.description(), "");
      for (const { flags, description, hidden } of command.options) {
        assert.equal(stdout.includes(flags), !hidden, flags);
        assert.ok(hidden || description !== "", flags);
      }
      for (const child of command.commands) assert.match(stdout, new RegExp(`^  ${child.name()} `, "m"));
      assert.deepEqual(
        stdout.split("\n").filter((text) => text.length > 80),
        [],
      );
    });
  }

  test("lists each command with a short summary in one voice", () => {
    const summaries = commandsOf(createProgram()).map(
      ({ command }) => command.summary() || command.description(),
    );
    const others = summaries.slice(1).filter((text) => !/^[^A-Z].{0,99}[^.]$/.test(text));
    assert.deepEqual(others, []);
  });

  test("is shown for no command at all, as an error", async () => {
    const { exitCode, stdout, stderr } = await run();
    assert.equal(exitCode, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /^Usage: berth /);
  });
});

const root = join(import.meta.dirname, "../..");

/** The words of each `berth …` in a help text, without what stands behind it: a remark, or another command. */
function examplesIn(help: string): string[][] {
  const lines = help.replaceAll(/\\\n\s*/g, "").split("\n");
  return lines.flatMap((line) => {
    const [, command] = /^(?: {2}|# |Example: |.* terminal: )berth ([a-z].*)$/.exec(line) ?? [];
    const [plain = ""] = command?.split(/ {2,}| \| /) ?? [];
    const words = [...plain.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)];
    return words.length === 0
      ? []
      : [words.map(([, single, double, bare]) => single ?? double ?? bare ?? "")];
  });
}

/** Whether a command takes these words; it does not begin. */
async function assertCommand(words: string[]): Promise<void> {
  const program = createProgram();
  const begun: string[] = [];
  for (const { command } of commandsOf(program)) {
    if (command.commands.length === 0) command.action(() => void begun.push(command.name()));
  }
  await program.parseAsync(words, { from: "user" });
  assert.equal(begun.length, 1, words.join(" "));
  for (const file of words.filter((word) => word.startsWith("examples/"))) {
    assert.ok(existsSync(join(root, file)), `${words.join(" ")}: ${file}`);
  }
}

describe("the examples of --help", () => {
  const found: string[] = [];

  for (const { words } of commandsOf(createProgram())) {
    test(`of ${["berth", ...words].join(" ")} are commands, with files that exist`, async () => {
      const { stdout } = await run(...words, "--help");
      for (const example of examplesIn(stdout)) {
        await assertCommand(example);
        found.push(example.join(" "));
      }
    });
  }

  for (const file of globSync("examples/lab/*.yaml", { cwd: root })) {
    test(`that ${file} has at its top is a command, with files that exist`, async () => {
      const text = readFileSync(join(root, file), "utf8");
      const examples = examplesIn(text);
      assert.ok(examples.length === 1 || !text.includes("LabScenario"), file);
      for (const example of examples) await assertCommand(example);
    });
  }

  test("are many, and each kind of line is seen as one", () => {
    for (const example of [
      "lab demo --trace calls.jsonl",
      "lab run examples/csidriver.yaml examples/storageclass-export.yaml examples/lab/two-pods.yaml",
      "lab shell storage -c ls -A /srv/xfs",
      "lab shell node-1",
      "lab log controller --json",
      "nfs ls -l nfs://nas/srv/data?version=3",
      "nfs cp -r nas:/srv/data/a nas:/srv/data/b",
    ]) {
      assert.ok(found.includes(example), `${example}: ${found.join("\n")}`);
    }
  });
});

describe("a command line", () => {
  const serve = ["node", "--node-id", "n"];
  for (const { title, words, message } of [
    {
      title: "with a command that is nearly one is met with the one that was meant",
      words: ["controler"],
      message: "berth: unknown command 'controler' (Did you mean controller?); see berth --help\n",
    },
    {
      title: "with a command that is none is refused by name",
      words: ["frobnicate"],
      message: "berth: unknown command 'frobnicate'; see berth --help\n",
    },
    {
      title: "with a nearly known command of a command is pointed to that one's help",
      words: ["trash", "lst"],
      message: "berth: unknown command 'lst' (Did you mean list?); see berth trash --help\n",
    },
    {
      title: "with a flag that is nearly one is met with the one that was meant",
      words: [...serve, "--end-point", "unix:///x"],
      message: "berth: unknown option '--end-point' (Did you mean --endpoint?); see berth node --help\n",
    },
    {
      title: "without the node's id is refused",
      words: ["node"],
      message: "berth: required option '--node-id <id>' not specified; see berth node --help\n",
    },
    {
      title: "without the node's id is refused for both halves together too",
      words: ["all"],
      message: "berth: required option '--node-id <id>' not specified; see berth all --help\n",
    },
    {
      title: "of the trash without a configuration is refused",
      words: ["trash", "list"],
      message: "berth: required option '--config <file>' not specified; see berth trash list --help\n",
    },
    {
      title: "that restores nothing by name is refused",
      words: ["trash", "restore", "--config", "x"],
      message: "berth: missing required argument 'volume-id'; see berth trash restore --help\n",
    },
    {
      title: "with a word too many is refused",
      words: ["version", "now"],
      message:
        "berth: too many arguments for 'version'. Expected 0 arguments but got 1: now; see berth version --help\n",
    },
    {
      title: "with a flag that lacks its value is refused",
      words: ["controller", "--config"],
      message: "berth: option '--config <file>' argument missing; see berth controller --help\n",
    },
    {
      title: "with an unknown log level is told those that there are",
      words: ["controller", "--log-level", "trace"],
      message:
        "berth: option '--log-level <level>' argument 'trace' is invalid. Allowed choices are debug, info, warn, error; see berth controller --help\n",
    },
    {
      title: "with an unknown log format is told those that there are",
      words: ["controller", "--log-format", "xml"],
      message:
        "berth: option '--log-format <format>' argument 'xml' is invalid. Allowed choices are text, json; see berth controller --help\n",
    },
    {
      title: "with a relative kubelet directory is refused",
      words: [...serve, "--kubelet-dir", "var/lib/kubelet"],
      message:
        "berth: option '--kubelet-dir <path>' argument 'var/lib/kubelet' is invalid. Write an absolute path; see berth node --help\n",
    },
    {
      title: "with a lab of one node is told how many may be",
      words: ["lab", "demo", "--nodes", "1"],
      message:
        "berth: option '--nodes <count>' argument '1' is invalid. Give a whole number from 2 to 12; see berth lab demo --help\n",
    },
  ]) {
    test(title, async () =>
      assert.deepEqual(await run(...words), { exitCode: 1, stdout: "", stderr: message }),
    );
  }
});

describe("a driver's name", () => {
  for (const name of ["Foo.dev", "csi_berth", "csi.berth.", "1csi.dev", "csi.dev1", "a..b", "-a", "", "ä"]) {
    test(`${JSON.stringify(name)} is refused with an example`, async () => {
      const { stderr } = await run("controller", "--driver-name", name);
      assert.match(stderr, /--driver-name .*Write a domain name in lower case .* such as csi\.berth\.dev/);
    });
  }

  test("of more than 63 characters is refused with the figures", async () => {
    const { stderr } = await run("controller", "--driver-name", "a".repeat(64));
    assert.match(stderr, /It has 64 characters; 63 are the most/);
  });
});

describe("a node's id", () => {
  for (const [title, id] of [
    ["of blanks", "  "],
    ["of 257 bytes", `${"é".repeat(128)}x`],
  ] as const) {
    test(`${title} is refused with the figures`, async () => {
      const { stderr } = await run("node", "--node-id", id);
      assert.match(stderr, /--node-id .*It has \d+ bytes; give the node's name, of 1 to 256 bytes/);
    });
  }
});
