/** What work on trees never does, on a real server: follow a link, hurry, lose its place. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import { hasCode } from "../../src/core/errors.ts";
import { connectNfs, type NfsClient } from "../../src/nfs/index.ts";
import { copyTree, removeTree, type TreeProgress, usageOfTree, walkTree } from "../../src/nfs/trees/index.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

const files = 600;

for (const version of ["3", "4.1"] as const) {
  describe(`over NFS ${version}`, () => {
    let server: Ganesha;
    let directory: string;
    let client: NfsClient;
    before(async () => {
      server = await startGanesha();
      directory = server.directory("data");
      const { address: host, nfsPort: port, mountPort } = server;
      client = await connectNfs({ host, port, mountPort, path: "/srv/data", versions: [version] });
    });
    beforeEach(async () => {
      await mkdir(`${directory}/outside`, { recursive: true });
      await writeFile(`${directory}/outside/precious`, "precious");
      await mkdir(`${directory}/tree/below`, { recursive: true });
      await Promise.all(Array.from({ length: files }, (_, index) => writeFile(fileAt(index), `${index}`)));
    });
    after(async () => {
      await client?.close();
      await server?.[Symbol.asyncDispose]();
    });

    const fileAt = (index: number) => `${directory}/tree/${index % 2 === 0 ? "below/" : ""}${index}`;
    const node = (name: string) => client.lookup(client.root.handle, name);
    const place = (name: string) => ({ client, directory: client.root.handle, name });

    /** A signal that fires when so many entries are done. */
    function abortAfter(entries: number) {
      const abort = new AbortController();
      const onProgress = (progress: TreeProgress) => {
        if (progress.entries >= entries) abort.abort();
      };
      return { signal: abort.signal, onProgress };
    }

    test("no symbolic link is followed, wherever it leads", async () => {
      await symlink("../outside", `${directory}/tree/up`);
      await symlink("/", `${directory}/tree/root`);
      await symlink("below", `${directory}/tree/sideways`);
      const source = await node("tree");
      const expected = files + 1 + 3;
      assert.equal((await usageOfTree(client, source)).entries, expected + 1);
      let walked = 0;
      for await (const { entries } of walkTree(client, source)) walked += entries.length;
      assert.equal(walked, expected);
      await copyTree(client, source, place("copy"));
      assert.equal((await readdir(`${directory}/copy`)).includes("up"), true);
      for (const name of ["copy", "tree"]) await removeTree(client, client.root.handle, name);
      assert.equal(await readFile(`${directory}/outside/precious`, "utf8"), "precious");
      assert.deepEqual(await readdir(directory), ["outside"]);
    });

    test("a copy that was cancelled goes on where it was", async () => {
      const source = await node("tree");
      const cut = copyTree(client, source, place("copy"), abortAfter(100));
      await assert.rejects(cut, (error) => hasCode(error, "cancelled"));
      await assert.rejects(copyTree(client, source, place("copy")), (error) =>
        hasCode(error, "storage-exists"),
      );
      const { ways } = await copyTree(client, source, place("copy"), { resume: true });
      assert.ok(ways.kept >= 50 && ways.kept < files, `${ways.kept} were kept`);
      assert.equal(ways.kept + ways["read-write"], files);
      for (let index = 0; index < files; index++) {
        assert.equal(await readFile(fileAt(index).replace("/tree/", "/copy/"), "utf8"), `${index}`);
      }
      await removeTree(client, client.root.handle, "copy");
    });

    test("a removal that was cancelled is finished by another", async () => {
      const cut = removeTree(client, client.root.handle, "tree", abortAfter(1));
      await assert.rejects(cut, (error) => hasCode(error, "cancelled"));
      await removeTree(client, client.root.handle, "tree");
      assert.deepEqual(await readdir(directory), ["outside"]);
    });

    const entriesPerSecondMax = 2000;
    const paced = { entriesPerSecondMax };
    const passes: Readonly<Record<string, () => Promise<number>>> = {
      "counted for usage": async () => (await usageOfTree(client, await node("tree"), paced)).entries,
      copied: async () => (await copyTree(client, await node("tree"), place("paced"), paced)).entries,
      removed: async () => (await removeTree(client, client.root.handle, "tree", paced)).entries,
    };
    for (const [what, pass] of Object.entries(passes)) {
      test(`no more entries are ${what} in a second than was said`, async () => {
        const startMs = performance.now();
        assert.equal(await pass(), files + 2);
        // What passes at once, a tenth of a second's entries in each of both directories, may be the end of the work.
        const atOnce = 2 * (entriesPerSecondMax / 10);
        assert.ok(performance.now() - startMs >= ((files - atOnce) / entriesPerSecondMax) * 1000);
        await removeTree(client, client.root.handle, "paced").catch(() => {}); // only the copy has one
      });
    }
  });
}
