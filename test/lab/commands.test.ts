/** The lab's commands, mostly on directories: what is the same on every tier. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, cpSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { scratchDirectory } from "../../tools/scratch.ts";
import { bundledProgram } from "../support/bundled.ts";

const { node, bundle } = await bundledProgram();
const root = join(import.meta.dirname, "../..");
const scratch = scratchDirectory("lab-commands");
const manifests = ["csidriver.yaml", "storageclass-directory.yaml"].map((file) => join("examples", file));

type Running = ChildProcess & { readonly output: () => string };

function start(...args: string[]): Running {
  const child = spawn(node, [bundle, "lab", ...args], { cwd: root, stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return Object.assign(child, { output: () => output });
}

async function run(...args: string[]): Promise<{ readonly code: number; readonly output: string }> {
  const child = start(...args);
  child.stdin?.end();
  const [code] = await once(child, "close");
  return { code, output: child.output() };
}

async function until(child: Running, text: string): Promise<void> {
  const closed = once(child, "close");
  while (!child.output().includes(text)) {
    assert.ok(child.exitCode === null && child.signalCode === null, child.output());
    await Promise.race([once(child.stdout ?? child, "data"), closed]);
  }
}

function written(name: string, text: string): string {
  const file = join(scratch, name);
  writeFileSync(file, text);
  return file;
}

test("the example of docs/lab.md runs as it is written", async () => {
  const text = readFileSync(join(root, "docs/lab.md"), "utf8");
  const [, yaml] = /`scenario\.yaml`:\n\n```yaml\n(.*?)```/s.exec(text) ?? [];
  assert.ok(yaml !== undefined);
  const { code, output } = await run(
    ...["run", "--tier", "directory", ...manifests, written("docs.yaml", yaml)],
  );
  assert.equal(code, 0, output);
  assert.match(output, /in writer-1: 2\n/);
  assert.match(output, / 6 of 6 steps done\n$/);
});

test("the example of the help of berth lab run runs, on directories with their class", async () => {
  const help = (await run("run", "--help")).output.replaceAll(/\\\n\s*/g, "");
  const [, words = ""] = /^ {2}berth lab (run .*)$/m.exec(help) ?? [];
  const files = words.replace("storageclass-export", "storageclass-directory").split(" ").slice(1);
  assert.equal(files.length, 3, help);
  const { code, output } = await run("run", "--tier", "directory", ...files);
  assert.equal(code, 0, output);
  assert.match(output, /12 of 12 steps done\n$/);
  assert.deepEqual(
    output.split("\n").filter((line) => [...line].length > 80),
    [],
    "every line fits into 80 columns",
  );
});

test("a step that fails is told with its place and what was seen, and exits 1", async () => {
  const steps = `kind: LabScenario
metadata: { name: failing }
steps:
  - node: { name: node-1, command: echo seen }
  - node: { name: node-1, command: echo seen, expect: { stdout: other } }
  - node: { name: node-1, command: echo never }`;
  const { code, output } = await run("run", "--tier", "directory", written("failing.yaml", steps));
  assert.equal(code, 1, output);
  assert.match(
    output,
    /failing\.yaml:5: on node-1: echo seen: .*stdout is "seen\\n", which other does not match/,
  );
  assert.ok(!output.includes("never"));
});

test("a mistake in a file exits 2 before anything starts", async () => {
  const file = written(
    "typo.yaml",
    "kind: PersistentVolumeClaim\nmetadata: { name: x }\nspec: { sise: 1 }\n",
  );
  const { code, output } = await run("run", "--tier", "directory", file);
  assert.equal(code, 2, output);
  assert.match(output, /typo\.yaml:3: PersistentVolumeClaim\/x: spec\.sise is not known to the lab/);
});

test("files without a scenario are refused with what to do", async () => {
  const { code, output } = await run("run", "--tier", "directory", ...manifests);
  assert.equal(code, 2, output);
  assert.match(output, /no LabScenario in these files: add one, or use berth lab up/);
});

/** As `nobody`, who may read nothing of the repository: with a copy of the program, and its examples beside it. */
const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
const mayMakeNamespaces =
  spawnSync("setpriv", [...asNobody.slice(1), "unshare", "--user", "true"]).status === 0;

test("an ordinary user gets directories, and is told what guests need", {
  skip: !mayMakeNamespaces,
}, async () => {
  cpSync(dirname(bundle), join(scratch, "dist"), { recursive: true });
  cpSync(join(root, "examples"), join(scratch, "examples"), { recursive: true });
  copyFileSync(node, join(scratch, "node"));
  chmodSync(scratch, 0o755);
  const [setpriv = "", ...args] = asNobody;
  const command = [...args, join(scratch, "node"), join(scratch, "dist/berth.js"), "lab", "demo"];
  const { status, stdout, stderr } = spawnSync(setpriv, command, { encoding: "utf8", cwd: "/" });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /Tier directory: (.|\n)*Not tier guests: its network needs root: sudo make demo\./);
  assert.match(stdout, /6 of 6 invariants hold\n$/);
});

test("a shell enters a lab that is up, and finds none when it has ended", async (context) => {
  const up = start("up", "--tier", "directory", "--nodes", "2", ...manifests);
  context.after(() => up.kill("SIGKILL"));
  await until(up, "The lab runs on");
  const lab = ["--lab", String(await firstChild(up))];
  assert.deepEqual(await run("shell", ...lab), {
    code: 0,
    output: "a lab of tier directory:\nnode-1\nnode-2\n",
  });
  const script = "test -S /run/kubelet/plugins/csi.berth.dev/csi.sock && echo plugin; exit 7";
  assert.deepEqual(await run("shell", ...lab, "node-2", "-c", script), { code: 7, output: "plugin\n" });

  const log = await run("log", ...lab, "controller");
  assert.equal(log.code, 0, log.output);
  assert.match(log.output, /^\[2.*Z\] INFO: listening on unix:\/\/\/run\/controller\/csi\.sock/m);
  const { output: json } = await run("log", ...lab, "controller", "--json");
  const messages = json
    .trimEnd()
    .split("\n")
    .map((line) => String(JSON.parse(line).msg));
  assert.ok(messages.includes("listening on unix:///run/controller/csi.sock"), json);

  const shell = start("shell", ...lab, "node-1");
  shell.stdin?.write("stty size; echo end$((40 + 2))\n");
  await until(shell, "end42");
  assert.match(shell.output(), /24 80/);
  shell.stdin?.write("exit\n");
  const [code] = await once(shell, "close");
  assert.equal(code, 0);

  const wrong = await run("shell", ...lab, "node-9", "-c", "true");
  assert.equal(wrong.code, 1);
  assert.match(wrong.output, /the lab has no machine node-9: there are node-1, node-2/);

  up.kill("SIGTERM");
  assert.deepEqual(await once(up, "close"), [143, null]);
  const none = await run("shell", ...lab);
  assert.equal(none.code, 1);
  assert.match(none.output, /no lab runs here that you may enter/);
});

test("a shell enters a guest of a lab that is up: a kernel of its own, with a terminal", async (context) => {
  const files = ["csidriver.yaml", "storageclass-export.yaml"].map((file) => join("examples", file));
  const up = start("up", "--tier", "guests", "--nodes", "1", ...files);
  context.after(() => up.kill("SIGKILL"));
  await until(up, "The lab runs on");
  const lab = ["--lab", String(await firstChild(up))];
  assert.equal((await run("shell", ...lab)).output, "a lab of tier guests:\nnode-1\nstorage\n");
  const release = (await run("shell", ...lab, "node-1", "-c", "uname -r")).output.trim();
  assert.notEqual(release, readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
  const exported = await run(
    "shell",
    ...lab,
    "storage",
    "-c",
    "test -d /srv/xfs; exportfs -s | cut -d' ' -f1",
  );
  assert.deepEqual(exported, { code: 0, output: "/srv/xfs\n" });

  const shell = start("shell", ...lab, "node-1");
  shell.stdin?.write('uname -r; stty size; test -t 0 && echo "terminal$((40 + 2))"\n');
  await until(shell, "terminal42");
  assert.ok(shell.output().includes(release), shell.output());
  assert.match(shell.output(), /24 80/);
  shell.stdin?.write("exit\n");
  assert.deepEqual((await once(shell, "close"))[0], 0);
  up.kill("SIGTERM");
  assert.deepEqual(await once(up, "close"), [143, null]);
});

/** The lab's own process: below the one that we started, and below `unshare`. */
async function firstChild(child: ChildProcess): Promise<number> {
  const childOf = (pid: number) =>
    Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ")[0]);
  return childOf(childOf(child.pid ?? 0));
}
