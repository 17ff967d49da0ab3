/** A real controller, over real gRPC, with exports of a real NFS server. */
import { parseConfig } from "../../src/cli/config/config.ts";
import { openShares } from "../../src/cli/driver/shares.ts";
import { silentLog } from "../../src/core/log.ts";
import { controller } from "../../src/csi/controller.ts";
import { type Ganesha, type GaneshaOptions, startGanesha } from "../nfs/ganesha.ts";
import {
  type EdgeClient,
  type Lifetime,
  type RecordedLog,
  ready,
  startEdge,
} from "../support/edge-harness.ts";

export interface ExportFixture {
  readonly server: Ganesha;
  readonly client: EdgeClient;
  readonly log: RecordedLog;
}

/** The export `data` of a Ganesha, in the configuration as `nas`, and whatever else `more` says (YAML). */
export async function startExportController(
  t: Lifetime,
  options: GaneshaOptions & { readonly more?: string; readonly version?: "3" | "4.1" } = {},
): Promise<ExportFixture> {
  const server = await startGanesha(options);
  t.after(() => server[Symbol.asyncDispose]());
  const text = configurationOf(server, options.version ?? "4.1") + (options.more ?? "");
  const shares = openShares(parseConfig(text, "test.yaml"), { cluster: "test", driver: "d.test" }, silentLog);
  t.after(() => shares.close());
  const { client, log } = await startEdge(t, {
    identity: ready,
    controller: controller(shares.placements),
  });
  return { server, client, log };
}

export function configurationOf(server: Ganesha, version: "3" | "4.1"): string {
  return `
cluster: test
exports:
  - name: nas
    server: ${server.address}
    share: /srv/data
    nfsVersion: "${version}"
    port: ${server.nfsPort}
    mountPort: ${server.mountPort}
`;
}
