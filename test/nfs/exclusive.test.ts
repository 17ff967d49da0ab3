/** One of many wins a name, over networks that lose answers: what volumes are claimed by. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { BerthError } from "../../src/core/errors.ts";
import { type Nonce, randomNonce } from "../../src/core/nonce.ts";
import { NfsShare } from "../../src/share/nfs-share.ts";
import { parseSharePath } from "../../src/share/share-path.ts";
import { claimFile } from "../../src/volumes/claim.ts";
import { stagedFilePath } from "../../src/volumes/layout.ts";
import { startProxy } from "./faulty-proxy.ts";
import { startGanesha } from "./ganesha.ts";

const names = Array.from({ length: 40 }, (_, index) => `name-${index}`);
const contenders = 3;
/** About every tenth claim loses an answer: each is five calls. */
const rates = { delay: 0.1, drop: 0.01, cut: 0.01, split: 0.1 };
const claimsAtOnce = 5;
const attemptsMax = 20;

/** As a controller does: again, under a new nonce, as long as it is not known who has the name. */
async function claim(share: NfsShare, name: string): Promise<Nonce | undefined> {
  const tried: Nonce[] = [];
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const nonce = randomNonce();
    tried.push(nonce);
    try {
      const outcome = await claimFile(share, parseSharePath(name), Buffer.from(nonce), nonce);
      if (outcome === "claimed") return nonce;
      const winner = Buffer.from(await share.readFile(parseSharePath(name), 100)).toString();
      return tried.find((each) => each === winner); // an earlier attempt of ours may have won unheard
    } catch (error) {
      assert.ok(error instanceof BerthError, String(error));
    }
  }
  return assert.fail(`${name} was not decided in ${attemptsMax} attempts`);
}

for (const version of ["3", "4.1"] as const) {
  describe(`NFS ${version} over faulty networks`, () => {
    test("of several who claim a name exactly one has it, whatever answers are lost", async () => {
      await using server = await startGanesha();
      await using everything = new AsyncDisposableStack();
      const shares: NfsShare[] = [];
      const ways = [];
      for (let contender = 0; contender < contenders; contender++) {
        const proxy = everything.use(await startProxy({ host: server.address, port: server.nfsPort }));
        const place = { host: "127.0.0.1", port: proxy.port, mountPort: server.mountPort };
        const connect = { ...place, path: "/srv/data", versions: [version], timeoutMs: 8000 };
        const share = new NfsShare({ name: `contender-${contender}`, connect });
        everything.defer(() => share.close());
        shares.push(share);
        ways.push(proxy);
      }
      const [first] = shares;
      assert.ok(first !== undefined);
      const [berth = "", staging = ""] = stagedFilePath(randomNonce()).split("/");
      await first.makeDirectory(parseSharePath(berth), 0o700);
      await first.makeDirectory(parseSharePath(`${berth}/${staging}`), 0o700);
      await Promise.all(shares.map((share) => share.stat(parseSharePath(berth))));
      for (const [seed, way] of ways.entries()) way.setFaults({ seed, rates });

      const winners: (Nonce | undefined)[][] = [];
      for (let start = 0; start < names.length; start += claimsAtOnce) {
        const some = names.slice(start, start + claimsAtOnce);
        const claims = some.map((name) => Promise.all(shares.map((share) => claim(share, name))));
        winners.push(...(await Promise.all(claims)));
      }
      for (const way of ways) way.setFaults(undefined);
      for (const [index, claims] of winners.entries()) {
        const won = claims.filter((nonce) => nonce !== undefined);
        const content = await readFile(`${server.directory("data")}/${names[index]}`, "utf8");
        assert.deepEqual(won, [content], names[index]);
      }
      assert.deepEqual(
        (await readdir(server.directory("data"))).filter((name) => !name.startsWith(".")).sort(),
        names.toSorted(),
      );
      const faults = ways
        .flatMap(({ log }) => log)
        .filter(({ fault }) => ["drop", "cut"].includes(fault.kind));
      assert.ok(faults.length > 10, `${faults.length} answers or calls were lost`);
    });
  });
}
