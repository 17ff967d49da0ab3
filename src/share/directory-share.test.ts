import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shareContract } from "../../test/support/share-contract.ts";
import { DirectoryShare } from "./directory-share.ts";

shareContract("a directory", async () => {
  const root = mkdtempSync(join(tmpdir(), "berth-share-"));
  const share = new DirectoryShare({ name: "default", path: root });
  return {
    share,
    makeSymlink: async (target, path) => symlinkSync(target, join(root, path)),
    makeFifo: async (path) => void execFileSync("mkfifo", [join(root, path)]),
    close: async () => {
      await share.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
});
