/**
 * What somebody who means harm could try, through real gRPC, on an export of a real NFS server: links and worse
 * in volumes, paths in every field of every request, ids of others' volumes, records that were changed by hand.
 * Each time: the right answer, and everything else on the export as it was.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
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
import { after, before, describe, test } from "node:test";
import { inspect } from "node:util";
import { isMessage, type Message } from "@bufbuild/protobuf";
import { parseConfig } from "../../src/cli/config/config.ts";
import { openShares } from "../../src/cli/driver/shares.ts";
import { silentLog } from "../../src/core/log.ts";
import { controller } from "../../src/csi/controller.ts";
import { Controller, CreateVolumeResponseSchema } from "../../src/gen/csi/v1/csi_pb.ts";
import { connectNfs, type FileHandle, type NfsClient } from "../../src/nfs/index.ts";
import { creation, rpc } from "../support/edge-controller-harness.ts";
import { type Answer, type EdgeClient, type Lifetime, ready, startEdge } from "../support/edge-harness.ts";
import { exportNas, hostileRequests, isUnary, refusals } from "../support/hostile-requests.ts";
import { configurationOf } from "./controller-fixture.ts";
import { createVolume, deleteVolume, type ExportSite, openExportSite } from "./export-site.ts";

/** All that lies below a directory, but for what is on its way: types, modes, links and contents. */
function everything(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => !/^\.berth\/(staging|trash)\//.test(name))
    .map((name) => {
      const path = join(directory, name);
      const stat = lstatSync(path);
      const content = stat.isFile() && stat.size < 65_536 ? readFileSync(path, "latin1") : "";
      const target = stat.isSymbolicLink() ? readlinkSync(path) : "";
      const names = stat.isFile() ? `${stat.nlink}` : "";
      return `${name} ${stat.mode.toString(8)} ${names} ${target}${content}`;
    })
    .sort();
}

/** As the server has it, and as another controller sees it that has just been started. */
async function startSecond(
  t: Lifetime,
  { server, version }: ExportSite,
  cluster = "test",
): Promise<EdgeClient> {
  const config = parseConfig(configurationOf(server, version), "test.yaml");
  const shares = openShares(config, { cluster, driver: "d.test" }, silentLog);
  t.after(() => shares.close());
  return (await startEdge(t, { identity: ready, controller: controller(shares.placements) })).client;
}

const deleting = (client: EdgeClient, volumeId: string) => client.call(rpc.deleteVolume, { volumeId });

function refused(answer: Answer<unknown>, message?: RegExp): void {
  assert.notEqual(answer.code, "OK");
  assert.notEqual(answer.code, "INTERNAL");
  const details = "details" in answer ? answer.details : "";
  if (answer.code !== "NOT_FOUND") assert.match(details, /: /, "says what to do");
  if (message !== undefined) assert.match(details, message);
}

/** The folder of claims, as any client of the server has it. */
class Claims {
  readonly client: NfsClient;
  readonly folder: FileHandle;

  private constructor(client: NfsClient, folder: FileHandle) {
    this.client = client;
    this.folder = folder;
  }

  static async open({ server, version }: ExportSite): Promise<Claims> {
    const { address: host, nfsPort: port, mountPort } = server;
    const client = await connectNfs({ host, port, mountPort, path: "/srv/data", versions: [version] });
    return new Claims(client, (await client.resolve(client.root.handle, [".berth", "paths"])).handle);
  }

  async of(name: string): Promise<FileHandle> {
    return (await this.client.lookup(this.folder, name)).handle;
  }

  async remove(name: string): Promise<void> {
    await this.client.remove(this.folder, name);
  }
}

for (const version of ["3", "4.1"] as const) {
  describe(`over NFS ${version}`, () => {
    let site: ExportSite;
    let victim: string;
    before(async () => {
      site = await openExportSite({ version });
      mkdirSync(data("elsewhere"));
      writeFileSync(data("elsewhere/file"), "not a volume");
      victim = (await createVolume(site, "victim", {})).volumeId;
      writeFileSync(data("victim/data"), "precious");
    });
    after(() => site[Symbol.asyncDispose]());

    const data = (...names: string[]): string => join(site.server.directory("data"), ...names);
    const record = (name: string): string => data(".berth/volumes", name, "identity.json");

    test("links, pipes and depths that a pod has planted lead no deletion and no reaper out of its volume", async () => {
      await site.reap(); // makes the reserve
      const before = everything(data());
      const { volumeId } = await createVolume(site, "evil", {});
      const evil = (...names: string[]): string => data("evil", ...names);
      symlinkSync("../victim", evil("victim"));
      symlinkSync("../.berth", evil("berth"));
      symlinkSync("/etc", evil("etc"));
      symlinkSync("loop", evil("loop"));
      linkSync(data("victim/data"), evil("hard"));
      linkSync(record("victim"), evil("record"));
      execFileSync("mkfifo", [evil("pipe")]);
      mkdirSync(evil(".berth/volumes/victim"), { recursive: true });
      mkdirSync(evil(...Array.from({ length: 100 }, () => "d")), { recursive: true });
      symlinkSync("../../../../victim", evil("d/d/d/up"));
      await deleteVolume(site, volumeId);
      assert.ok(!existsSync(evil()));
      await site.reap();
      assert.deepEqual(readdirSync(data(".berth/trash")), []);
      assert.deepEqual(everything(data()), before);
    });

    test("a volume whose own directory became a link is not deleted through it", async () => {
      const { volumeId } = await createVolume(site, "swapped", {});
      rmSync(data("swapped"), { recursive: true });
      symlinkSync("victim", data("swapped"));
      const before = everything(data());
      refused(await deleting(site.client, volumeId), /is not the directory that Berth made/);
      assert.deepEqual(everything(data()), before);
      for (const path of ["swapped", ".berth/volumes/swapped", ".berth/paths/swapped"])
        rmSync(data(path), { recursive: true });
    });

    describe("a path in any field of a request leads nowhere", () => {
      const isOfPrey = (line: string) => /^(\.berth\/(volumes|paths)\/)?prey(\/| )/.test(line);
      for (const method of Controller.methods.filter(isUnary)) {
        test(method.name, async () => {
          const prey = (await createVolume(site, "prey", {})).volumeId;
          const before = everything(data());
          for (const volumeId of ["export/nfs/nobody/nas", prey]) {
            for (const [field, value] of hostileRequests(method, volumeId)) {
              const answer = await site.client.call(method, value);
              const what = `${method.name}.${field} = ${inspect(value).slice(0, 300)}: ${answer.code}`;
              const id = volumeIdIn(answer);
              if (id !== undefined) {
                assert.match(id, /^export\/nfs\/[A-Za-z0-9._~%-]+\/nas$/, what);
                await deleteVolume(site, id);
              } else if (answer.code !== "OK") assert.ok(refusals.includes(answer.code), what);
              // Only what names no volume leaves the good one to be deleted.
              else if (method === rpc.deleteVolume && value["volumeId"] === prey) {
                assert.match(field, /^secrets /);
                await createVolume(site, "prey", {});
              }
            }
          }
          await site.reap();
          const isSame = method === rpc.deleteVolume ? (line: string) => !isOfPrey(line) : () => true;
          assert.deepEqual(everything(data()).filter(isSame), before.filter(isSame));
          await deleteVolume(site, prey);
        });
      }
    });

    test("ids of others' volumes and ids that are none reach nothing", async (t) => {
      const before = everything(data());
      for (const id of [
        "export/nfs/victim/other",
        "export/bind/victim/nas",
        "directory/bind/victim/nas",
        "filestore/nfs/victim/nas",
        "export/nfs/.berth/nas",
        "export/nfs/elsewhere/nas",
        "export/nfs/victim%2Fdata/nas",
        "export/nfs/../nas",
        "127.0.0.1#srv/data#victim#x",
        "victim",
      ]) {
        const answer = await deleting(site.client, id);
        if (answer.code === "OK")
          assert.ok(!/^(export|directory|filestore)\/[a-z]+\/(victim|elsewhere)\//.test(id), id);
        const capacityRange = { requiredBytes: 2n ** 40n };
        refused(await site.client.call(rpc.controllerExpandVolume, { volumeId: id, capacityRange }));
      }
      const others = await startSecond(t, site, "another");
      refused(await deleting(others, victim), /belongs to cluster test/);
      const same = creation("victim", { parameters: exportNas });
      assert.equal((await others.call(rpc.createVolume, same)).code, "ALREADY_EXISTS");
      const listed = await others.call(rpc.listVolumes, {});
      assert.deepEqual(listed.response?.entries, []);
      assert.deepEqual(everything(data()), before);
    });

    describe("a record that was changed by hand deletes nothing of others, and is never called deleted", () => {
      const identityOf = (name: string): Record<string, unknown> & { directory: object } =>
        JSON.parse(readFileSync(record(name), "utf8"));
      const put = (name: string, content: string | Uint8Array): void => {
        writeFileSync(`${record(name)}.new`, content);
        renameSync(`${record(name)}.new`, record(name));
      };
      const pointed = (more: Record<string, unknown>) => (name: string) =>
        put(name, JSON.stringify({ ...identityOf(name), ...more }));
      const directed = (path: string, fileid?: string) => (name: string) => {
        const { directory } = identityOf(name);
        pointed({ directory: { ...directory, path, ...(fileid === undefined ? {} : { fileid }) } })(name);
      };
      let claims: Claims;
      before(async () => {
        claims = await Claims.open(site);
      });
      after(() => claims?.client.close());
      const changes: Readonly<Record<string, (name: string) => void | Promise<void>>> = {
        "cut in half": (name) => put(name, readFileSync(record(name)).subarray(0, 300)),
        empty: (name) => put(name, ""),
        "with NULs for content": (name) => put(name, new Uint8Array(500)),
        "larger than any": (name) => put(name, "x".repeat(100_000)),
        "of a later version": pointed({ schema: 2 }),
        "that names another volume": (name) => pointed({ id: victim })(name),
        "of another cluster": pointed({ cluster: "another" }),
        "that points to another volume": directed("victim"),
        "that points to another volume, by its fileid too": (name) =>
          directed("victim", `${lstatSync(data("victim"), { bigint: true }).ino}`)(name),
        "that points to the share": directed(""),
        "that climbs": directed("../data/victim"),
        "that is absolute": directed("/srv/data/victim"),
        "that points to Berth's folder": directed(".berth"),
        "that points to Berth's folder in capitals": directed(".Berth/volumes"),
        "that points below another volume": directed("victim/data"),
        "that points to a directory of nobody's": directed("elsewhere"),
        "that points to a directory of nobody's, by its fileid too": (name) =>
          directed("elsewhere", `${lstatSync(data("elsewhere"), { bigint: true }).ino}`)(name),
        "with the nonce of another": (name) => pointed({ nonce: identityOf("victim")["nonce"] })(name),
        "that is another's": (name) => put(name, readFileSync(record("victim"))),
        "that is a link to another's": (name) => {
          rmSync(record(name));
          symlinkSync("../victim/identity.json", record(name));
        },
        "that is a directory": (name) => {
          rmSync(record(name));
          mkdirSync(record(name));
        },
        "that is a pipe": (name) => {
          rmSync(record(name));
          execFileSync("mkfifo", [record(name)]);
        },
        "in a directory that is a link to another's": (name) => {
          rmSync(data(".berth/volumes", name), { recursive: true });
          symlinkSync("victim", data(".berth/volumes", name));
        },
        // Over NFS, as whoever may write there: Ganesha does not see at once what is done on its own disk.
        "whose claim is another's": async (name) => {
          await claims.remove(name);
          await claims.client.link(await claims.of("victim"), claims.folder, name);
        },
        "whose claim is cut": async (name) => {
          await claims.remove(name);
          await claims.client.create(claims.folder, name, {}, readFileSync(record(name)).subarray(0, 200));
        },
        "whose claim is a link to another's": async (name) => {
          await claims.remove(name);
          await claims.client.symlink(claims.folder, name, "victim", {});
        },
        "whose claim is a directory, as if volumes lay below it": async (name) => {
          await claims.remove(name);
          await claims.client.mkdir(claims.folder, name, {});
        },
        "whose claim is gone": (name) => claims.remove(name),
        "with a deletion that is cut": (name) =>
          writeFileSync(data(".berth/volumes", name, `deleted.${identityOf(name)["nonce"]}.json`), "{"),
      };
      for (const [index, [what, change]] of Object.entries(changes).entries()) {
        test(what, async () => {
          const name = `forged-${index}`;
          const { volumeId } = await createVolume(site, name, {});
          writeFileSync(data(name, "data"), "mine");
          await change(name);
          const before = everything(data());
          refused(await deleting(site.client, volumeId));
          assert.deepEqual(everything(data()), before);
          const again = creation(name, { parameters: exportNas });
          const answer = await site.client.call(rpc.createVolume, again);
          assert.notEqual(answer.code, "INTERNAL"); // which is final: the volume would be forgotten
          assert.equal(volumeIdIn(answer) ?? volumeId, volumeId);
          await site.reap();
          assert.deepEqual(everything(data()), before);
          for (const path of [name, `.berth/volumes/${name}`, `.berth/paths/${name}`])
            rmSync(data(path), { recursive: true, force: true });
        });
      }
    });

    describe("a size that was changed by hand keeps no volume from being deleted, and leads nowhere", () => {
      const changes: Readonly<Record<string, (size: string) => void>> = {
        "that is cut": (size) => writeFileSync(size, '{"sizeBy'),
        "that is a link to another's record": (size) => symlinkSync("../victim/identity.json", size),
      };
      for (const [what, change] of Object.entries(changes)) {
        test(what, async () => {
          await site.reap();
          const before = everything(data());
          const { volumeId } = await createVolume(site, "sized", {});
          const { nonce } = JSON.parse(readFileSync(record("sized"), "utf8"));
          change(data(".berth/volumes/sized", `size-1.${nonce}.json`));
          await deleteVolume(site, volumeId);
          await site.reap();
          assert.deepEqual(everything(data()), before);
        });
      }
    });

    describe("Berth's folders replaced by links lead nowhere", () => {
      for (const folder of [
        ".berth",
        ".berth/volumes",
        ".berth/paths",
        ".berth/trash",
        ".berth/staging",
        ".berth/kept",
      ]) {
        test(folder, async (t) => {
          const { volumeId } = await createVolume(site, "here", {
            subDir: "team/here",
            onDelete: folder.endsWith("kept") ? "archive" : "delete",
          });
          writeFileSync(data("team/here/data"), "mine");
          const [own, moved] = [data(folder), data("moved")];
          renameSync(own, moved);
          symlinkSync(folder === ".berth" ? "elsewhere" : "../elsewhere", own);
          const client = await startSecond(t, site); // which remembers no handles of the folders
          try {
            await client.call(rpc.createVolume, creation("next", { parameters: exportNas }));
            const answer = await deleting(client, volumeId);
            if (answer.code === "OK") assert.ok(!existsSync(data("team/here")), "said to be deleted");
            assert.deepEqual(readdirSync(data("elsewhere")), ["file"]);
            assert.equal(readFileSync(data("victim/data"), "utf8"), "precious");
          } finally {
            rmSync(own);
            renameSync(moved, own);
          }
          await deleteVolume(site, volumeId);
          const next = await createVolume(site, "next", {});
          await deleteVolume(site, next.volumeId);
          await site.reap();
          for (const each of readdirSync(data()).filter((each) => each === "team"))
            rmSync(data(each), { recursive: true });
        });
      }
    });
  });
}

function volumeIdIn({ response }: Answer<Message>): string | undefined {
  return isMessage(response, CreateVolumeResponseSchema) ? response.volume?.volumeId : undefined;
}
