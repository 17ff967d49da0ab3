/**
 * `berth node` as a process, with an export of a real NFS server, and something hostile in each field of each request
 * for a volume that exists. Its mount(8) only writes down what it would mount: nothing but that volume's directory,
 * with the options of its class, and below the kubelet's directory.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { inspect } from "node:util";
import { volumeNameOf } from "../../src/core/volume-id.ts";
import { VolumeCapability_AccessMode_Mode as Mode, Node } from "../../src/gen/csi/v1/csi_pb.ts";
import { scratchDirectory } from "../../tools/scratch.ts";
import { capability, rpc } from "../support/edge-node-harness.ts";
import {
  hostileTexts,
  hostileVariants,
  isUnary,
  type Request,
  refusals,
} from "../support/hostile-requests.ts";
import { ServingProcess } from "../support/serving-process.ts";
import { configurationOf } from "./controller-fixture.ts";
import { createVolume, type ExportSite, type MadeVolume, openExportSite } from "./export-site.ts";

/** Nothing but these is ever asked of mount(8); what it is asked for it refuses, as a server would. */
const recordingMount = `#!/bin/sh
printf '%s\\0' "$@" >> "$MOUNTS"; printf '\\n' >> "$MOUNTS"
echo 'mount.nfs: access denied by server'
exit 32
`;
const volumeCapability = capability(Mode.MULTI_NODE_MULTI_WRITER);
const inlineId = `csi-${"a".repeat(64)}`;
const podsKeys = ["pod.name", "pod.namespace", "pod.uid", "serviceAccount.name", "ephemeral"].map(
  (key) => `csi.storage.k8s.io/${key}`,
);
const contextKeys = [
  "export",
  "server",
  "share",
  "subDir",
  "mountOptions",
  "mode",
  "uid",
  "gid",
  ...podsKeys,
];

/** Its mount(8) is in `place`. */
class NodeProcess extends ServingProcess {
  readonly kubelet: string;
  readonly staging: string;
  readonly target: string;
  readonly #mounts: string;

  constructor(config: string, place: string) {
    const [kubelet, mounts] = [join(place, "kubelet"), join(place, "mounts")];
    writeFileSync(mounts, "");
    writeFileSync(join(place, "mount"), recordingMount, { mode: 0o755 });
    const env = { MOUNTS: mounts, PATH: `${place}:/usr/sbin:/usr/bin:/sbin:/bin` };
    super(["node", "--node-id", "n", "--kubelet-dir", kubelet], config, env);
    this.kubelet = kubelet;
    this.staging = join(kubelet, "plugins/globalmount");
    this.target = join(kubelet, "pods/a/mount");
    this.#mounts = mounts;
    mkdirSync(this.staging, { recursive: true });
    mkdirSync(join(kubelet, "pods/a"), { recursive: true });
  }

  /** What mount(8) was asked for since the last look: source, target and options. */
  takeMounts(): { readonly source: string; readonly target: string; readonly options: string }[] {
    const lines = readFileSync(this.#mounts, "utf8").split("\n").slice(0, -1);
    writeFileSync(this.#mounts, "");
    return lines.map((line) => {
      const words = line.split("\0");
      assert.deepEqual([words.slice(0, 4), words[5]], [["-n", "-t", "nfs", "-o"], "--"], line);
      const [, , , , options = "", , source = "", target = ""] = words;
      return { source, target, options };
    });
  }

  /** Of directories that were made for mounts with strange paths: the next may need one of them empty. */
  clear(): void {
    for (const name of readdirSync(this.kubelet))
      if (name !== "plugins" && name !== "pods") rmSync(join(this.kubelet, name), { recursive: true });
  }
}

describe("a hostile text in any field of a request to the node", () => {
  let site: ExportSite;
  let node: NodeProcess;
  let volume: MadeVolume;
  before(async () => {
    site = await openExportSite();
    volume = await createVolume(site, "mine", {});
    await createVolume(site, "victim", {});
    writeFileSync(data("victim/data"), "precious");
    const config = `${configurationOf(site.server, "4.1")}ephemeral: {exports: [nas]}\n`;
    node = new NodeProcess(config, scratchDirectory("node-attacks"));
    await node.serves();
  });
  after(async () => {
    node?.[Symbol.dispose]();
    await site[Symbol.asyncDispose]();
  });

  const data = (...names: string[]) => join(site.server.directory("data"), ...names);

  /** All names on the export but what waits in the trash; files of the kubelet's directory; the machine's root. */
  const everything = (): string[] => [
    ...readdirSync(data(), { recursive: true, encoding: "utf8" })
      .filter((name) => !/^\.berth\/(staging|trash)(\/|$)/.test(name))
      .toSorted(),
    ...readdirSync(node.kubelet, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name)),
    ...["/", "/etc"].flatMap((path) => readdirSync(path)),
    ...readFileSync("/proc/self/mountinfo", "utf8").split("\n"),
    readFileSync(data("victim/data"), "utf8"),
  ];

  const inline = (): Request => ({
    volumeId: inlineId,
    targetPath: node.target,
    volumeCapability,
    volumeContext: { export: "nas", "csi.storage.k8s.io/ephemeral": "true" },
  });

  function goodRequests(name: string): Request[] {
    const staging = { volumeId: volume.volumeId, stagingTargetPath: node.staging };
    const mounted = { ...staging, volumeCapability, volumeContext: { ...volume.volumeContext } };
    switch (name) {
      case "NodeStageVolume":
        return [mounted];
      case "NodePublishVolume":
        return [{ ...mounted, targetPath: node.target }, inline()];
      case "NodeUnpublishVolume":
        return [volume.volumeId, inlineId].map((volumeId) => ({ volumeId, targetPath: node.target }));
      case "NodeGetVolumeStats":
        return [{ ...staging, volumePath: node.target }];
      default:
        return [staging];
    }
  }

  function* variantsOf(method: (typeof Node.methods)[number]): Generator<[string, Request, Request]> {
    const ids = ["victim/nas", ".berth/nas", "mine%2F..%2Fvictim/nas"].map((id) => `export/nfs/${id}`);
    const texts = [...hostileTexts, ...ids, "127.0.0.1#/srv#x"];
    const paths = hostileTexts.map((text) => `${node.kubelet}/${text}`);
    for (const good of goodRequests(method.name)) {
      for (const [field, value] of hostileVariants(method.input, good, texts)) yield [field, value, good];
      for (const [field, value] of hostileVariants(method.input, good, paths))
        if (field.endsWith("_path")) yield [field, value, good];
      const context = good["volumeContext"];
      if (typeof context !== "object") continue;
      for (const text of texts) {
        for (const key of contextKeys)
          yield [`volume_context.${key}`, { ...good, volumeContext: { ...context, [key]: text } }, good];
      }
    }
  }

  /** What may be mounted for an answer: the directory of the volume that the request names, as a whole. */
  function mayMount(value: Request): string[] {
    const { address } = site.server;
    const asked = value["volumeId"];
    const directories =
      asked === inlineId
        ? [volumeNameOf(inlineId)]
        : asked === "export/nfs/victim/nas"
          ? ["victim"]
          : ["mine"];
    return directories.map((name) => `${address}:/srv/data/${name}`);
  }

  /** Whether the volume of a pod is still there after it was unpublished, as kubelet does also when publish failed. */
  async function isLeft({ targetPath }: Request): Promise<boolean> {
    if (typeof targetPath === "string")
      await node.client.call(rpc.nodeUnpublishVolume, { volumeId: inlineId, targetPath });
    return existsSync(data(volumeNameOf(inlineId)));
  }

  for (const method of Node.methods.filter(isUnary)) {
    test(`${method.name}: nothing else is mounted, made or removed`, async () => {
      await site.reap(); // makes the reserve
      const before = everything();
      for (const [field, value, good] of variantsOf(method)) {
        const what = `${method.name}.${field} = ${inspect(value).slice(0, 400)}`;
        node.clear();
        const answer = await node.client.call(method, value);
        const mounts = node.takeMounts();
        for (const { source, target, options } of mounts) {
          assert.ok(
            field === "volume_context.subDir" || mayMount(value).includes(source),
            `${what}: ${source}`,
          );
          assert.ok(!/[\s\\#%]|\.\.|\.berth/i.test(source.replace("127.0.0.1", "")), `${what}: ${source}`);
          assert.ok(target.startsWith(`${node.kubelet}/`) && !target.includes("/../"), `${what}: ${target}`);
          assert.match(options, /^[a-z0-9=.,]+$/, what);
        }
        const isMounted = mounts.length > 0;
        const codes = isMounted
          ? ["PERMISSION_DENIED", "FAILED_PRECONDITION", "UNAVAILABLE"]
          : [...refusals, "OK"];
        assert.ok(codes.includes(answer.code), `${what}: ${answer.code} ${inspect(answer)}`);
        if (good["volumeId"] === inlineId && (await isLeft(value))) assert.fail(`${what} stays`);
      }
      await site.reap();
      assert.deepEqual(everything(), before);
      assert.equal((await node.client.call(rpc.nodeGetInfo, {})).code, "OK", "the process lives");
    });
  }
});
