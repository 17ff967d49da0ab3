/** `berth trash` as a command, on a share that a controller has used. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { berth } from "./support/berth-process.ts";
import { idOf, newCall, owner, requestFor, VolumeFixture } from "./support/volume-fixture.ts";

const dayMs = 24 * 3_600_000;
const id = (name: string) => `directory/bind/${name}/test`;

/** Deleted volumes, and the configuration that finds them; it lies outside of the share. */
async function trashOf(
  ...names: string[]
): Promise<Disposable & { fixture: VolumeFixture; flags: string[] }> {
  const fixture = new VolumeFixture();
  for (const name of names) {
    const claim = { name: `data-${name}`, namespace: "prod" };
    const known = name === "unclaimed" ? {} : { claim }; // the provisioner may name none
    await fixture.volumes.create(newCall(), requestFor(name, { trashRetentionMs: dayMs, ...known }));
    writeFileSync(fixture.at(name, "data"), name);
    await fixture.volumes.delete(newCall(), idOf(name));
  }
  const config = new VolumeFixture();
  const text = `cluster: ${owner.cluster}\ndirectories:\n  - { name: test, path: ${fixture.path} }\n`;
  writeFileSync(config.at("berth.yaml"), text);
  return {
    fixture,
    flags: ["--config", config.at("berth.yaml")],
    [Symbol.dispose]: () => {
      fixture[Symbol.dispose]();
      config[Symbol.dispose]();
    },
  };
}

describe("berth trash", { concurrency: 3 }, () => {
  test("list shows each deleted volume with its id, claim, size and times, for people and for programs", async () => {
    using trash = await trashOf("unclaimed", "one", "two");
    const [text, json] = await Promise.all([
      berth("trash", "list", ...trash.flags),
      berth("trash", "list", "--json", ...trash.flags),
    ]);
    assert.deepEqual([text.end, text.stderr, json.end, json.stderr], [0, "", 0, ""]);
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
    const line = (name: string, claim: string) =>
      `${id(name)}${claim}  1000 bytes  deleted ${time}  kept until ${time}\n`;
    const claim = (name: string) => `  claim prod/data-${name}`;
    assert.match(
      text.stdout,
      new RegExp(`^${line("two", claim("two"))}${line("one", claim("one"))}${line("unclaimed", "")}$`),
    );
    const volumes: Record<string, unknown>[] = json.stdout
      .trimEnd()
      .split("\n")
      .map((one) => JSON.parse(one));
    assert.deepEqual(
      volumes.map(({ volumeId, claim: whose, directory, sizeBytes }) => [
        volumeId,
        whose,
        directory,
        sizeBytes,
      ]),
      [
        [id("two"), { name: "data-two", namespace: "prod" }, "two", "1000"],
        [id("one"), { name: "data-one", namespace: "prod" }, "one", "1000"],
        [id("unclaimed"), undefined, "unclaimed", "1000"],
      ],
    );
    for (const { deletedAt, purgeAfter } of volumes) {
      assert.equal(Date.parse(`${purgeAfter}`) - Date.parse(`${deletedAt}`), dayMs);
    }
  });

  test("list hands no control character of a claim on to a terminal", async () => {
    using trash = await trashOf();
    const { fixture, flags } = trash;
    const claim = { name: "data\u001b[2J", namespace: "team-a" };
    await fixture.volumes.create(newCall(), requestFor("two", { trashRetentionMs: dayMs, claim }));
    await fixture.volumes.delete(newCall(), idOf("two"));
    const [text, json] = await Promise.all([
      berth("trash", "list", ...flags),
      berth("trash", "list", "--json", ...flags),
    ]);
    assert.match(text.stdout, /\/two\/test {2}claim team-a\/data \[2J {2}1000 bytes/);
    assert.deepEqual(JSON.parse(json.stdout).claim, claim);
  });

  test("list says that a trash is empty; another driver's is none of ours", async () => {
    using trash = await trashOf("one");
    const answer = await berth("trash", "list", "--driver-name", "csi.other.dev", ...trash.flags);
    assert.deepEqual(answer, { end: 0, stdout: "The trash is empty.\n", stderr: "" });
  });

  test("list warns of a record that cannot be read, and shows the others", async () => {
    using trash = await trashOf("one", "two");
    const { fixture, flags } = trash;
    const broken = readdirSync(fixture.at(".berth/trash"))
      .map((entry) => fixture.at(".berth/trash", entry, "record/identity.json"))
      .find((file) => readFileSync(file, "utf8").includes(id("one")));
    writeFileSync(broken ?? "", "{");
    const { end, stdout, stderr } = await berth("trash", "list", ...flags);
    assert.equal(end, 0);
    assert.match(stdout, /^directory\/bind\/two\/test {2}claim .* deleted .*\n$/);
    assert.match(stderr, /^berth: record \.berth\/trash\/.* cannot be read .*: restore it from a backup/);
  });

  test("restore puts a volume back with its data, once", async () => {
    using trash = await trashOf("one");
    const { fixture, flags } = trash;
    const { end, stdout, stderr } = await berth("trash", "restore", id("one"), ...flags);
    const message = `${id("one")} is back in one, with 1000 bytes promised.\n`;
    assert.deepEqual({ end, stdout, stderr }, { end: 0, stdout: message, stderr: "" });
    assert.equal(readFileSync(fixture.at("one/data"), "utf8"), "one");
    assert.equal((await fixture.volumes.get(newCall(), idOf("one"))).state, "ready");
    const again = await berth("trash", "restore", id("one"), ...flags);
    assert.deepEqual([again.end, again.stdout], [1, ""]);
    assert.match(again.stderr, /^berth: .*one exists: move it away to restore the deleted volume\n$/);
    assert.equal(readFileSync(fixture.at("one/data"), "utf8"), "one");
  });

  for (const { title, volume, end, message } of [
    {
      title: "an id that is not Berth's",
      volume: "pvc-1",
      end: 2,
      message: /^berth: pvc-1 is no volume id of Berth: `berth trash list` shows them\n$/,
    },
    {
      title: "a volume that is not in the trash",
      volume: id("never"),
      end: 1,
      message: /^berth: (not listed: )?share test \(.*\) has no deleted volume never in its trash/,
    },
    {
      title: "a volume of a share that is not configured",
      volume: "directory/bind/one/elsewhere",
      end: 1,
      message:
        /^berth: volume .* lies on the share elsewhere, which the configuration does not name \(test\): add it/,
    },
  ]) {
    test(`restore of ${title} exits ${end} with the reason, and restores nothing`, async () => {
      using trash = await trashOf("one");
      const answer = await berth("trash", "restore", volume, ...trash.flags);
      assert.deepEqual([answer.end, answer.stdout], [end, ""]);
      assert.match(answer.stderr, message);
      assert.equal(existsSync(trash.fixture.at("one")), false);
      assert.equal((await trash.fixture.volumes.trash(newCall())).length, 1);
    });
  }

  test("on a share whose directory is missing exits 1, and names the share", async () => {
    using trash = await trashOf();
    trash.fixture[Symbol.dispose]();
    const { end, stdout, stderr } = await berth("trash", "list", ...trash.flags);
    assert.deepEqual([end, stdout], [1, ""]);
    assert.match(stderr, /^berth: (not listed: )?share test \(.*\).*: /);
  });
});
