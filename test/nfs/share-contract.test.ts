/** An export, over either version of NFS, is a share as any other. */
import { mkdirSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { after, before } from "node:test";
import { check } from "../../src/lab/guest/process.ts";
import { NfsShare } from "../../src/share/nfs-share.ts";
import { type ShareFixture, shareContract } from "../support/share-contract.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

let server: Ganesha;
let shares = 0;
before(async () => {
  server = await startGanesha();
});
after(async () => await server?.[Symbol.asyncDispose]());

for (const version of ["3", "4.1"] as const) {
  shareContract(`an export over NFS ${version}`, async (): Promise<ShareFixture> => {
    shares += 1;
    const local = `${server.directory("data")}/${shares}`;
    mkdirSync(local);
    const { address: host, nfsPort: port, mountPort } = server;
    const connect = { host, port, mountPort, path: `/srv/data/${shares}`, versions: [version] };
    const share = new NfsShare({ name: "nas", connect });
    return {
      share,
      makeSymlink: (target, path) => symlink(target, `${local}/${path}`),
      makeFifo: async (path) => void (await check(["mkfifo", `${local}/${path}`])),
      close: () => share.close(),
    };
  });
}
