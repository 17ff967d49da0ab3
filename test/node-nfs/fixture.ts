/** A storage guest, a node guest with the real plugin, and a controller that makes volumes: one boot for a file. */
import { create } from "@bufbuild/protobuf";
import { parseConfig } from "../../src/cli/config/config.ts";
import { type OpenShares, openShares } from "../../src/cli/driver/shares.ts";
import { assert } from "../../src/core/assert.ts";
import { Effects } from "../../src/core/call.ts";
import { silentLog } from "../../src/core/log.ts";
import { controller } from "../../src/csi/controller.ts";
import {
  CreateVolumeRequestSchema,
  DeleteVolumeRequestSchema,
  VolumeCapability_AccessMode_Mode as Mode,
} from "../../src/gen/csi/v1/csi_pb.ts";
import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import { NodeGuest, type NodeVolume } from "./node-guest.ts";

/** Where the export `nas` lies on the server. */
export const share = "/srv/xfs";

export class NodeNfsFixture implements AsyncDisposable {
  readonly network: GuestNetwork;
  readonly storage: StorageGuest;
  readonly node: NodeGuest;
  readonly #everything: AsyncDisposableStack;
  readonly #controller: ReturnType<typeof controller>;
  readonly #shares: OpenShares;

  private constructor(
    everything: AsyncDisposableStack,
    network: GuestNetwork,
    storage: StorageGuest,
    node: NodeGuest,
  ) {
    this.#everything = everything;
    this.network = network;
    this.storage = storage;
    this.node = node;
    const owner = { cluster: "test", driver: "csi.berth.dev" };
    const shares = openShares(parseConfig(configOf(storage), "test.yaml"), owner, silentLog);
    everything.defer(() => shares.close());
    this.#shares = shares;
    this.#controller = controller(shares.placements);
  }

  /** @param more of the node's configuration, below the export `nas` */
  static async boot(more: (serverAddress: string) => string = () => ""): Promise<NodeNfsFixture> {
    await using stack = new AsyncDisposableStack();
    const network = stack.use(await GuestNetwork.open());
    const storage = stack.use(
      await StorageGuest.boot(network, { fileSystems: [{ name: "xfs", type: "xfs" }] }),
    );
    const node = stack.use(
      await NodeGuest.boot(network, "node-1", configOf(storage) + more(storage.address)),
    );
    const everything = stack.move();
    return new NodeNfsFixture(everything, network, storage, node);
  }

  /** A volume as csi-provisioner has one made: on the export `nas`, unless the parameters name a server. */
  async createVolume(name: string, parameters: Readonly<Record<string, string>> = {}): Promise<NodeVolume> {
    assert(this.#controller.createVolume !== undefined, "a controller creates volumes");
    const where = parameters["server"] === undefined ? { export: "nas" } : {};
    const request = create(CreateVolumeRequestSchema, {
      name,
      capacityRange: { requiredBytes: 1024n * 1024n },
      volumeCapabilities: [
        { accessMode: { mode: Mode.MULTI_NODE_MULTI_WRITER }, accessType: { case: "mount", value: {} } },
      ],
      parameters: { type: "export", ...where, mode: "0777", ...parameters },
    });
    const { volume } = await this.#controller.createVolume(request, newCall());
    const { volumeId = "", volumeContext = {} } = volume ?? {};
    return { volumeId, volumeContext: { ...volumeContext } };
  }

  async deleteVolume({ volumeId }: NodeVolume): Promise<void> {
    assert(this.#controller.deleteVolume !== undefined, "a controller deletes volumes");
    await this.#controller.deleteVolume(create(DeleteVolumeRequestSchema, { volumeId }), newCall());
  }

  /** As a controller does it in the background, until each volume that is there has been measured. */
  async measureUsage(): Promise<void> {
    const enough = new AbortController();
    const measuring = this.#shares.measureUsage(enough.signal);
    const usage = `${share}/.berth/volumes/$name/usage.json`;
    await this.storage.check(
      `for name in $(ls ${share}/.berth/volumes); do until [ -e "${usage}" ]; do sleep 0.05; done; done`,
    );
    enough.abort();
    await measuring;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#everything.disposeAsync();
  }
}

function configOf(storage: StorageGuest): string {
  return `
cluster: test
exports:
  - name: nas
    server: ${storage.address}
    share: ${share}
`;
}

function newCall() {
  return { signal: AbortSignal.timeout(30_000), effects: new Effects(), log: silentLog };
}
