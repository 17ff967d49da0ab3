import { writeFileSync } from "node:fs";
import { CsiConnection } from "../../src/lab/csi-client.ts";
import { type Ganesha, type GaneshaExport, startGanesha } from "../../test/nfs/ganesha.ts";
import { createVolume, deleteVolume } from "../calls.ts";
import type { Place, Serving } from "../place.ts";

export type Version = "3" | "4.1";

/** A controller of the program as it ships, and an export of NFS-Ganesha on loopback that it works on. */
export class ExportSite implements AsyncDisposable {
  readonly server: Ganesha;
  readonly connection: CsiConnection;
  readonly #serving: Serving;

  private constructor(server: Ganesha, serving: Serving) {
    this.server = server;
    this.#serving = serving;
    this.connection = new CsiConnection(serving.endpoint);
  }

  /** @param more lines of the configuration */
  static async open(
    place: Place,
    version: Version,
    theExport: Omit<GaneshaExport, "name">,
    more = "",
  ): Promise<ExportSite> {
    const server = await startGanesha({ exports: [{ name: "data", ...theExport }] });
    try {
      writeFileSync(place.at("berth.yaml"), `${configurationOf(server, version)}${more}`);
      return new ExportSite(server, await place.serve("controller"));
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#serving.driver.pid;
  }

  async create(name: string, parameters: Record<string, string> = {}): Promise<string> {
    const { volumeId } = await createVolume(this.connection, name, {
      type: "export",
      export: "bench",
      ...parameters,
    });
    return volumeId;
  }

  async delete(name: string): Promise<void> {
    await deleteVolume(this.connection, `export/nfs/${name}/bench`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.close();
    try {
      await this.#serving.driver.stop();
    } finally {
      await this.server[Symbol.asyncDispose]();
    }
  }
}

function configurationOf({ address, nfsPort, mountPort }: Ganesha, version: Version): string {
  return `exports:
  - name: bench
    server: ${address}
    share: /srv/data
    nfsVersion: "${version}"
    port: ${nfsPort}
    mountPort: ${mountPort}
`;
}
