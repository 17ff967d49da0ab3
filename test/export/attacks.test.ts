/** What pods, users of the API and people with a shell on the share try: nothing of others is ever touched. */
import assert from "node:assert/strict";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { rpc } from "../edge-controller-harness.ts";
import { createVolume, deleteVolume, type ExportSite, openExportSite } from "./export-site.ts";

/** Every path below a directory, with what it is. */
function snapshot(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const path of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const full = join(directory, path);
    const stat = lstatSync(full);
    const content = stat.isSymbolicLink()
      ? readlinkSync(full)
      : stat.isFile()
        ? readFileSync(full, "utf8")
        : "";
    found[path] = `${stat.ino} ${stat.mode} ${content}`;
  }
  return found;
}

for (const version of ["3", "4.1"] as const) {
  describe(`over NFS ${version}`, () => {
    let site: ExportSite;
    // One for each: a server remembers for a while what was changed behind its back.
    beforeEach(async () => {
      site = await openExportSite({ version });
    });
    afterEach(() => site[Symbol.asyncDispose]());

    const data = (...names: string[]): string => join(site.server.directory("data"), ...names);
    const record = (name: string): string => data(".berth/volumes", name, "identity.json");

    async function refused(volumeId: string, code: string): Promise<void> {
      const answer = await site.client.call(rpc.deleteVolume, { volumeId });
      assert.equal(answer.code, code, JSON.stringify(answer));
    }

    test("links that a pod plants lead neither deletion nor reaper out of its volume", async () => {
      const victim = await createVolume(site, "victim", {});
      writeFileSync(data("victim/secret"), "kept");
      mkdirSync(data("outside"));
      writeFileSync(data("outside/file"), "kept");
      const evil = await createVolume(site, "evil", { subDir: "team/evil" });
      mkdirSync(data("team/evil/deep"));
      symlinkSync("../../outside", data("team/evil/up"));
      symlinkSync("/", data("team/evil/root"));
      symlinkSync("../../../victim", data("team/evil/deep/other"));
      linkSync(data("victim/secret"), data("team/evil/deep/hard"));
      await deleteVolume(site, evil.volumeId);
      await site.reap();
      assert.deepEqual(readdirSync(data(".berth/trash")), []);
      assert.deepEqual(readdirSync(data()).sort(), [".berth", "outside", "victim"]);
      for (const file of ["victim/secret", "outside/file"])
        assert.equal(readFileSync(data(file), "utf8"), "kept");
      await deleteVolume(site, victim.volumeId);
    });

    test("a volume's directory, or its parent, that became a link leads nowhere", async () => {
      const one = await createVolume(site, "one", {});
      const two = await createVolume(site, "two", { subDir: "team/app" });
      mkdirSync(data("other/app"), { recursive: true });
      writeFileSync(data("other/app/file"), "kept");
      renameSync(data("one"), data("moved"));
      symlinkSync("other", data("one"));
      renameSync(data("team"), data("moved-team"));
      symlinkSync("other", data("team"));
      // Whatever these say: the server may remember the directories that were there, and move the links.
      for (const { volumeId } of [one, two]) await site.client.call(rpc.deleteVolume, { volumeId });
      await site.reap();
      assert.equal(readFileSync(data("other/app/file"), "utf8"), "kept");
    });

    test("no volume id of any spelling reaches what is not a volume", async () => {
      await createVolume(site, "victim", { subDir: "team/app" });
      mkdirSync(data("foreign"));
      writeFileSync(data("foreign/file"), "kept");
      const before = snapshot(data());
      const names = [
        "..",
        ".",
        "",
        ".berth",
        "foreign/..",
        "../foreign",
        "/foreign",
        "team/app",
        "victim\0",
        "#",
        "victim#x",
      ];
      const spellings = (name: string) => [
        name,
        encodeURIComponent(name),
        encodeURIComponent(encodeURIComponent(name)),
      ];
      for (const name of names.flatMap(spellings)) {
        for (const volumeId of [`export/nfs/${name}/nas`, `nas#${name}`, `nas/${name}`, name]) {
          const { code } = await site.client.call(rpc.deleteVolume, { volumeId });
          assert.match(code, /^(OK|INVALID_ARGUMENT)$/, volumeId); // "no volume of ours" is success
        }
      }
      await refused("export/nfs/foreign/nas", "FAILED_PRECONDITION");
      assert.deepEqual(snapshot(data()), before);
    });

    test("no name of a volume or claim, and no template's value, leaves the share or reaches .berth", async () => {
      mkdirSync(data("foreign"));
      const before = readdirSync(data());
      const subDir = ["$", "{pvc.metadata.name}"].join("");
      for (const name of [
        "..",
        ".",
        "",
        "a/b",
        "../foreign",
        "/foreign",
        "a\0b",
        "a\nb",
        ".berth",
        "foreign",
      ]) {
        const claim = { name, namespace: "prod" };
        await assert.rejects(
          createVolume(site, "pvc", { subDir }, claim),
          /INVALID_ARGUMENT|ALREADY_EXISTS/,
          name,
        );
      }
      for (const name of ["..", ".", "", "a/b", "../foreign", "/foreign", "a\0b", "a\nb"]) {
        await assert.rejects(createVolume(site, name, {}), /INVALID_ARGUMENT/, JSON.stringify(name));
      }
      assert.deepEqual(
        readdirSync(data()).filter((name) => name !== ".berth"),
        before,
      );
    });

    test("another cluster's volume is neither deleted nor taken by its id", async () => {
      const { volumeId } = await createVolume(site, "theirs", {});
      writeFileSync(record("theirs"), readFileSync(record("theirs"), "utf8").replace('"test"', '"another"'));
      const before = snapshot(data());
      await refused(volumeId, "FAILED_PRECONDITION");
      await assert.rejects(createVolume(site, "theirs", {}), /ALREADY_EXISTS/);
      await assert.rejects(
        createVolume(site, "mine", { subDir: "theirs/in", adoptExisting: "true" }),
        /ALREADY_EXISTS/,
      );
      await site.reap();
      assert.deepEqual(
        Object.keys(snapshot(data()))
          .filter((path) => !/trash|staging/.test(path))
          .sort(),
        Object.keys(before)
          .filter((path) => !/trash|staging/.test(path))
          .sort(),
      );
    });

    const forgeries: Record<string, (text: string) => string> = {
      "cut in half": (text) => text.slice(0, text.length / 2),
      empty: () => "",
      "no JSON": () => "\0\0\0\0",
      "one that names another volume's directory": (text) =>
        text.replace('"path": "forged"', '"path": "victim"'),
      "one that names a directory that is no volume": (text) =>
        text.replace('"path": "forged"', '"path": "foreign"'),
      "one that climbs": (text) => text.replace('"path": "forged"', '"path": "../victim"'),
      "one that names the share": (text) => text.replace('"path": "forged"', '"path": ""'),
      "one that names .berth": (text) => text.replace('"path": "forged"', '"path": ".berth/volumes"'),
      "another volume's": () => readFileSync(record("victim"), "utf8"),
    };
    for (const [name, forge] of Object.entries(forgeries)) {
      test(`a record that is ${name} directs no deletion`, async () => {
        await createVolume(site, "victim", {});
        const { volumeId } = await createVolume(site, "forged", {});
        mkdirSync(data("foreign"));
        for (const each of ["victim", "forged", "foreign"]) writeFileSync(data(each, "file"), "kept");
        // Not written in place: a claim is another name of the same file, and editors write a new one.
        const text = forge(readFileSync(record("forged"), "utf8"));
        rmSync(record("forged"));
        writeFileSync(record("forged"), text);
        await refused(volumeId, "FAILED_PRECONDITION");
        await site.reap();
        for (const each of ["victim", "forged", "foreign"])
          assert.equal(readFileSync(data(each, "file"), "utf8"), "kept");
      });
    }

    test("a record that is a link to another volume's, or a directory, directs nothing", async () => {
      await createVolume(site, "victim", {});
      const { volumeId } = await createVolume(site, "forged", {});
      const before = snapshot(data("victim"));
      rmSync(record("forged"));
      symlinkSync("../victim/identity.json", record("forged"));
      await refused(volumeId, "FAILED_PRECONDITION");
      rmSync(record("forged"));
      mkdirSync(record("forged"));
      await refused(volumeId, "FAILED_PRECONDITION");
      assert.deepEqual(snapshot(data("victim")), before);
    });
  });
}
