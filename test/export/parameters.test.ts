/** The parameters of `type: export`, by a real controller on a real server, over both of its versions. */
import assert from "node:assert/strict";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createVolume, deleteVolume, type ExportSite, openExportSite } from "./export-site.ts";

/** As a StorageClass writes it. */
const template = (name: string): string => `\${${name}}`;

for (const version of ["3", "4.1"] as const) {
  describe(`over NFS ${version}`, () => {
    let site: ExportSite;
    before(async () => {
      site = await openExportSite({ version });
    });
    after(() => site[Symbol.asyncDispose]());

    const data = (...names: string[]): string => join(site.server.directory("data"), ...names);
    const claim = { name: "data-db-0", namespace: "prod" };

    test("subDir puts a volume where its templates say, and its parents come and go with it (csi-driver-nfs #855)", async () => {
      const subDir = `${template("pvc.metadata.namespace")}/${template("pvc.metadata.name")}-${template("pv.metadata.name")}`;
      const made = await createVolume(site, "pvc-1", { subDir }, claim);
      assert.equal(made.volumeContext["subDir"], "prod/data-db-0-pvc-1");
      assert.ok(statSync(data("prod/data-db-0-pvc-1")).isDirectory());
      assert.equal(statSync(data("prod")).mode & 0o7777, 0o755);
      await deleteVolume(site, made.volumeId);
      assert.deepEqual(readdirSync(data()), [".berth"]);
      assert.deepEqual(readdirSync(data(".berth/paths")), []);
    });

    test("two volumes never get one directory, nor one in the other", async () => {
      await site.reap();
      const made = await createVolume(site, "pvc-1", { subDir: "team/app" }, claim);
      mkdirSync(data("team/app/there"));
      const how: Record<string, string> = {
        "team/app": "is that",
        team: "contains that",
        "team/app/data": "lies in that",
        "team/app/there": "lies in that",
      };
      for (const adoptExisting of ["false", "true"]) {
        for (const [subDir, is] of Object.entries(how)) {
          const whose = `${is} of volume export/nfs/pvc-1/nas (team/app, claim prod/data-db-0): choose another subDir`;
          await assert.rejects(createVolume(site, "pvc-2", { subDir, adoptExisting }), (error: Error) => {
            assert.match(error.message, /^ALREADY_EXISTS/);
            assert.ok(error.message.includes(whose), error.message);
            return true;
          });
        }
      }
      assert.deepEqual(readdirSync(data(".berth/volumes")), ["pvc-1"]);
      for (const folder of ["staging", "trash"])
        assert.deepEqual(readdirSync(data(".berth", folder)), [], folder);
      await deleteVolume(site, made.volumeId);
      assert.deepEqual(readdirSync(data()), [".berth"]);
    });

    test("a directory below a link is refused, and nothing is left of each attempt", async () => {
      await site.reap();
      symlinkSync("/etc", data("link"));
      for (let attempt = 0; attempt < 2; attempt += 1) {
        await assert.rejects(createVolume(site, "pvc-1", { subDir: "link/app" }), /FAILED_PRECONDITION/);
      }
      for (const folder of ["volumes", "staging", "paths", "trash"])
        assert.deepEqual(readdirSync(data(".berth", folder)), [], folder);
      unlinkSync(data("link"));
    });

    test("onDelete: retain leaves the directory, which adoptExisting takes over again", async () => {
      const first = await createVolume(site, "pvc-1", { subDir: "kept", onDelete: "retain" });
      writeFileSync(data("kept/file"), "content");
      await deleteVolume(site, first.volumeId);
      assert.equal(readFileSync(data("kept/file"), "utf8"), "content");
      await assert.rejects(createVolume(site, "pvc-2", { subDir: "kept" }), /ALREADY_EXISTS.*adoptExisting/);
      const second = await createVolume(site, "pvc-2", { subDir: "kept", adoptExisting: "true" });
      await deleteVolume(site, second.volumeId);
      assert.ok(!existsSync(data("kept")));
    });

    test("a class that lets every namespace adopt one directory is warned of at each creation, and no other", async () => {
      const namespace = template("pvc.metadata.namespace");
      const before = site.log.lines.length;
      const warnings = () =>
        site.log.lines.slice(before).filter(({ message }) => message.startsWith("adoptExisting"));
      for (const [subDir, count] of [
        [template("pvc.metadata.name"), 1],
        [`${namespace}/${template("pvc.metadata.name")}`, 1],
        ["data", 2],
      ] as const) {
        const made = await createVolume(site, "pvc-1", { subDir, adoptExisting: "true" }, claim);
        await deleteVolume(site, made.volumeId);
        assert.equal(warnings().length, count, subDir);
      }
      const [first] = warnings();
      assert.equal(first?.level, "warn");
      assert.match(
        first?.message ?? "",
        /to claims of every namespace, .* make \$\{pvc\.metadata\.namespace\}/,
      );
      assert.equal(first?.fields["volumeId"], "export/nfs/pvc-1/nas");
    });

    test("onDelete: archive renames the directory, whoever's it is, and may be repeated (csi-driver-nfs #595)", async () => {
      const made = await createVolume(site, "pvc-1", {
        onDelete: "archive",
        uid: "2000",
        gid: "2000",
        mode: "0700",
      });
      writeFileSync(data("pvc-1/file"), "content");
      await deleteVolume(site, made.volumeId);
      await deleteVolume(site, made.volumeId);
      const [archived = ""] = readdirSync(data()).filter((name) => name !== ".berth");
      assert.match(archived, /^archived-pvc-1-/);
      const { mode, uid } = statSync(data(archived));
      assert.deepEqual([mode & 0o7777, uid], [0o700, 2000]);
    });

    const refused: Record<string, Record<string, string>> = {
      "a template that nobody knows": { subDir: `a/${template("pvc.metadata.labels")}` },
      "a template without an end": { subDir: "a/$" + "{pvc.metadata.name" },
      "a path that climbs": { subDir: "../other" },
      "a path that climbs in its middle": { subDir: "a/../../other" },
      "an absolute path": { subDir: "/etc" },
      "the share itself": { subDir: "." },
      "an empty subDir": { subDir: "" },
      "an empty component": { subDir: "a//b" },
      "a slash at the end": { subDir: "a/" },
      "Berth's own folder": { subDir: ".berth/volumes" },
      "Berth's own folder in capitals": { subDir: "a/.BERTH/b" },
      "Berth's own folder in wide letters": { subDir: "\uff0e\uff22erth" },
      "a component of 256 bytes": { subDir: "x".repeat(256) },
      "a NUL": { subDir: "a\0b" },
      "a line end": { subDir: "a\nb" },
      "what turns the direction of a text": { subDir: "a/\u202ebd" },
      "an unknown onDelete": { onDelete: "keep" },
      "an adoptExisting that is neither": { adoptExisting: "yes" },
      "a mode that is none": { mode: "0999" },
      "a security that is none": { mountOptions: "hard,sec=none" },
      "an option with a line end": { mountOptions: "hard\nro" },
      "another server": { mountOptions: "addr=10.0.0.1" },
      "an archive without room for its name": { onDelete: "archive", subDir: "x".repeat(250) },
    };
    for (const [name, parameters] of Object.entries(refused)) {
      test(`${name} is refused before anything is made`, async () => {
        const before = readdirSync(data(".berth/staging"));
        await assert.rejects(createVolume(site, "pvc-9", parameters), /INVALID_ARGUMENT/);
        assert.ok(!readdirSync(data(".berth/volumes")).includes("pvc-9"));
        assert.deepEqual(readdirSync(data(".berth/staging")), before);
      });
    }

    test("encoded separators and '#' are characters as any", async () => {
      const made = await createVolume(site, "pvc-1", { subDir: "a%2F..%2Fb#c\\d" });
      assert.ok(existsSync(data("a%2F..%2Fb#c\\d")));
      await deleteVolume(site, made.volumeId);
    });

    test("a claim that the provisioner does not name leaves no template unresolved", async () => {
      await assert.rejects(
        createVolume(site, "pvc-1", { subDir: template("pvc.metadata.name") }),
        /INVALID_ARGUMENT.*--extra-create-metadata/,
      );
    });
  });
}

for (const version of ["3", "4.1"] as const) {
  describe(`over NFS ${version} with root_squash`, () => {
    let site: ExportSite;
    before(async () => {
      const exports = [{ name: "data", squash: "Root_Squash" as const }];
      site = await openExportSite({ version, exports, more: "    uid: 1000\n    gid: 1000\n" });
      chownSync(site.server.directory("data"), 1000, 1000);
    });
    after(() => site[Symbol.asyncDispose]());

    const data = (...names: string[]): string => join(site.server.directory("data"), ...names);

    test("volumes and their parents belong to the user that Berth acts as", async () => {
      const made = await createVolume(site, "pvc-1", { subDir: "team/app", uid: "1000", gid: "1000" });
      for (const path of ["team", "team/app", ".berth"]) assert.equal(statSync(data(path)).uid, 1000);
      await deleteVolume(site, made.volumeId);
      assert.deepEqual(readdirSync(data()), [".berth"]);
    });

    test("an owner that Berth may not give is refused at creation, and nothing is left", async () => {
      await site.reap();
      await assert.rejects(
        createVolume(site, "pvc-1", { uid: "2000" }),
        /PERMISSION_DENIED.*2000.*root_squash/,
      );
      assert.deepEqual(readdirSync(data()), [".berth"]);
      mkdirSync(data("adopted"));
      chownSync(data("adopted"), 1000, 1000);
      await assert.rejects(
        createVolume(site, "pvc-1", { uid: "2000", subDir: "adopted", adoptExisting: "true" }),
        /PERMISSION_DENIED.*has uid 1000 and gid 1000/,
      );
      rmdirSync(data("adopted"));
      for (const folder of ["volumes", "staging", "paths", "trash"])
        assert.deepEqual(readdirSync(data(".berth", folder)), [], folder);
    });

    test("a directory below one that is closed to Berth is refused with the remedy, and nothing is left", async () => {
      mkdirSync(data("closed"), { mode: 0o700 });
      chownSync(data("closed"), 2000, 2000);
      await assert.rejects(
        createVolume(site, "pvc-1", { subDir: "closed/app" }),
        /PERMISSION_DENIED.*closed to Berth: let Berth's user pass there .*choose another subDir/,
      );
      rmdirSync(data("closed"));
      for (const folder of ["volumes", "staging", "paths", "trash"])
        assert.deepEqual(readdirSync(data(".berth", folder)), [], folder);
    });

    test("a tree of another owner, closed to all others, is deleted and reaped", async () => {
      await site.reap();
      mkdirSync(data("theirs"), { mode: 0o700 });
      mkdirSync(data("theirs/deep"), { mode: 0o500 });
      writeFileSync(data("theirs/deep/file"), "");
      for (const path of ["theirs/deep/file", "theirs/deep", "theirs"]) chownSync(data(path), 2000, 2000);
      const made = await createVolume(site, "pvc-2", { subDir: "theirs", adoptExisting: "true" });
      await deleteVolume(site, made.volumeId);
      assert.deepEqual(readdirSync(data()), [".berth"]);
      const [entry = ""] = readdirSync(data(".berth/trash"));
      assert.equal(statSync(data(".berth/trash", entry, "tree")).mode & 0o7777, 0o700);
      await site.reap();
      assert.deepEqual(readdirSync(data(".berth/trash")), []);
    });

    test("a tree that its pod made read-only is deleted too", async () => {
      const made = await createVolume(site, "pvc-3", { mode: "0500" });
      assert.equal(statSync(data("pvc-3")).mode & 0o7777, 0o500);
      await deleteVolume(site, made.volumeId);
      await site.reap();
      assert.deepEqual(readdirSync(data(".berth/trash")), []);
    });
  });
}

test("an export that is root's and squashes root is refused with the remedy", async () => {
  await using site = await openExportSite({ exports: [{ name: "data", squash: "Root_Squash" }] });
  await assert.rejects(createVolume(site, "pvc-1", {}), /PERMISSION_DENIED.*root_squash/);
  assert.deepEqual(readdirSync(site.server.directory("data")), []);
});
