/** What README.md shows works as it stands there, but for the places of files. */
import assert from "node:assert/strict";
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseConfig } from "../src/cli/config/config.ts";
import { createProgram } from "../src/cli/program.ts";
import { Controller, Identity, Node } from "../src/gen/csi/v1/csi_pb.ts";
import { DirectoryPlacement } from "../src/placement/directory.ts";
import { BerthProcess, berth } from "./support/berth-process.ts";
import { creation } from "./support/edge-controller-harness.ts";
import { EdgeClient, temporaryDirectory } from "./support/edge-harness.ts";

const root = join(import.meta.dirname, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const yaml = /```yaml\n(.*?)```/s.exec(readme)?.[1] ?? "";

/** The words of a command in a block of its own, or within a line of text. */
function wordsOf(command: string): string[] {
  const [, line = ""] =
    new RegExp(`^(berth ${command} .*)$`, "m").exec(readme) ??
    new RegExp(`\`(berth ${command} [^\`]*)\``).exec(readme) ??
    [];
  assert.notEqual(line, "", `the README has no berth ${command}`);
  return line.split(/\s+/).slice(1);
}

/** The README's words, with its places and placeholders given. */
function placed(command: string, places: Readonly<Record<string, string>>): string[] {
  return wordsOf(command).map((word) =>
    Object.entries(places).reduce((text, [from, to]) => text.replace(from, to), word),
  );
}

async function startServer(t: TestContext, words: string[], socket: string): Promise<EdgeClient> {
  const server = new BerthProcess(words);
  const client = new EdgeClient(`unix://${socket}`);
  t.after(async () => {
    client.close();
    server[Symbol.dispose]();
    await server.ended;
  });
  await server.says("listening on");
  return client;
}

test("the README's configuration and commands serve, and bring a deleted volume back", async (t) => {
  const place = temporaryDirectory(t);
  const config = join(place, "berth.yaml");
  mkdirSync(join(place, "srv"));
  assert.ok(yaml.includes("/srv/berth"));
  // Its NFS server is nobody's: the directory stays, and the whole is read all the same.
  parseConfig(yaml, "README.md");
  const alone = yaml.replace(/^exports:\n(?: .*\n)*/m, "");
  writeFileSync(config, alone.replace("/srv/berth", join(place, "srv")));
  const sockets = { controller: join(place, "c.sock"), node: join(place, "n.sock") };
  const places = (socket: string) => ({ "/csi/csi.sock": socket, "/etc/berth/berth.yaml": config });
  const [controller, node] = await Promise.all([
    startServer(t, placed("controller", places(sockets.controller)), sockets.controller),
    startServer(t, placed("node", { ...places(sockets.node), '"$NODE_NAME"': "node-1" }), sockets.node),
  ]);
  for (const client of [controller, node]) {
    assert.equal((await client.call(Identity.method.probe, {})).code, "OK");
  }
  const info = await node.call(Node.method.nodeGetInfo, {});
  assert.equal(info.response?.nodeId, "node-1");

  const parameters = { type: "directory" };
  const { response } = await controller.call(
    Controller.method.createVolume,
    creation("pvc-1", { parameters }),
  );
  const volumeId = response?.volume?.volumeId ?? "";
  assert.equal((await controller.call(Controller.method.deleteVolume, { volumeId })).code, "OK");
  const listed = await berth(...placed("trash list", { FILE: config }));
  assert.equal(listed.end, 0, listed.stderr);
  assert.ok(listed.stdout.startsWith(volumeId), listed.stdout);
  const restored = await berth(...placed("trash restore", { FILE: config, "VOLUME-ID": volumeId }));
  assert.equal(restored.end, 0, restored.stderr);
  assert.ok(existsSync(join(place, "srv/pvc-1")));
});

test("the README's table of StorageClass parameters has those that both types know", () => {
  const [, table = ""] = /\n\| parameter +\|.*?\n\|[ -|]+\n(.*?)\n\n/s.exec(readme) ?? [];
  const documented = table.split("\n").flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`(\w+)`/g)]);
  const names = documented.map(([, name]) => name).sort();
  let list = "";
  assert.throws(
    () => new DirectoryPlacement([]).place({ unknown: "" }, "pvc-1"),
    ({ message }: Error) => {
      [, list = ""] = /it knows (.*)$/.exec(message) ?? [];
      return true;
    },
  );
  assert.deepEqual(names, list.split(", ").sort());
});

test("every target of make that the documents name is one", () => {
  const targets = new Set(
    [...readFileSync(join(root, "Makefile"), "utf8").matchAll(/^([a-z-]+):/gm)].map(([, target]) => target),
  );
  for (const file of ["README.md", "CONTRIBUTING.md", ...globSync("docs/*.md", { cwd: root })]) {
    const text = readFileSync(join(root, file), "utf8");
    for (const [, target = ""] of text.matchAll(/(?:^|`)make ([a-z-]+)/gm)) {
      assert.ok(targets.has(target), `${file}: make ${target}`);
    }
  }
});

/** What a page's headings are called in a link to them. */
function anchorsOf(page: string): string[] {
  const headings = [...readFileSync(join(root, page), "utf8").matchAll(/^#+ (.*)$/gm)];
  return headings.map(([, text = ""]) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test("every link of the documents leads to a file and a heading in it, and every path in them is one", () => {
  const pages = globSync("docs/*.md", { cwd: root });
  for (const file of ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", ...pages]) {
    const text = readFileSync(join(root, file), "utf8");
    for (const [, to = "", anchor] of text.matchAll(/\]\(([^)#:]*)(?:#([^)]*))?\)/g)) {
      const target = to === "" ? file : join(dirname(file), to);
      assert.ok(existsSync(join(root, target)), `${file}: ${to}`);
      if (anchor !== undefined) assert.ok(anchorsOf(target).includes(anchor), `${file}: ${to}#${anchor}`);
    }
    const folders = "bench|docs|examples|proto|src|test|tools";
    for (const [, path = ""] of text.matchAll(new RegExp(`\`((?:${folders})/[\\w./-]+)\``, "g"))) {
      assert.ok(existsSync(join(root, path)), `${file}: ${path}`);
    }
  }
});

test("every command that the documents name is one", () => {
  const program = createProgram();
  for (const file of ["README.md", "SECURITY.md", ...globSync("docs/*.md", { cwd: root })]) {
    const text = readFileSync(join(root, file), "utf8");
    for (const [, words = ""] of text.matchAll(/(?:^|`)(?:node dist\/berth\.js|berth) ([a-z][a-z -]*)/gm)) {
      let command = program;
      for (const word of words.split(" ")) {
        if (command.commands.length === 0) break;
        const found = command.commands.find((each) => each.name() === word);
        assert.ok(found !== undefined, `${file}: berth ${words}`);
        command = found;
      }
    }
  }
});
