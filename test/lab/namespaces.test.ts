/**
 * The tier of namespaces: all of it where this machine's kernel has an NFS client; where it has none, everything
 * up to the mount, and that this is told.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Lab } from "../../src/lab/lab.ts";
import { machineFacts } from "../../src/lab/site/choose-tier.ts";
import { bundledProgram } from "../support/bundled.ts";

const examples = join(import.meta.dirname, "../../examples");
const files = ["csidriver.yaml", "storageclass-export.yaml", "pvc.yaml", "deployment.yaml"];

test("volumes are made on Ganesha, and mounted by this machine's kernel if it can", async () => {
  const { hasNfsClient } = await machineFacts(true);
  await using lab = await Lab.open({ tier: "namespaces", nodes: 2, program: await bundledProgram() });
  for (const file of files) lab.apply(readFileSync(join(examples, file), "utf8"));
  const { name } = await lab.claim("example-test-pvc-2").bound();
  assert.ok((await lab.site.share.names()).includes(name));
  const [server = ""] = lab.site.share.where.split(":");
  for (const node of lab.nodes) await node.check(`bash -c ': < /dev/tcp/${server}/2049'`);

  lab.scale("go-web-demo", 2);
  const pod = await lab.pod("go-web-demo-1");
  if (hasNfsClient) {
    await lab.settled();
    await pod.check("echo hello > /data/file");
    const [, other] = lab.pods;
    assert.equal(await other?.check("cat /data/file"), "hello\n");
  } else {
    const { message } = await pod.warning(/MountVolume failed/);
    assert.match(message, /NFS|nfs/);
  }
  lab.scale("go-web-demo", 0);
  lab.delete("PersistentVolumeClaim", "example-test-pvc-2");
  await lab.claim("example-test-pvc-2").gone();
  assert.equal((await lab.site.share.names()).includes(name), false);
});
