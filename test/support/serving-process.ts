import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchDirectory } from "../../tools/scratch.ts";
import { BerthProcess } from "./berth-process.ts";
import { EdgeClient } from "./edge-harness.ts";

/** `berth controller` or `berth node` as a process, with a configuration and a socket in a directory of its own. */
export class ServingProcess implements Disposable {
  readonly root = scratchDirectory("serving");
  readonly client: EdgeClient;
  readonly process: BerthProcess;

  constructor(words: readonly string[], config: string, env: Readonly<Record<string, string>> = {}) {
    const file = join(this.root, "berth.yaml");
    const endpoint = `unix://${join(this.root, "csi.sock")}`;
    writeFileSync(file, config);
    this.process = new BerthProcess(
      [...words, "--driver-name", "d.test", "--endpoint", endpoint, "--config", file],
      { ...process.env, ...env },
    );
    this.client = new EdgeClient(endpoint);
  }

  /** Resolves once it does; rejects when it ends without. */
  async serves(): Promise<void> {
    await this.process.says("listening on");
  }

  [Symbol.dispose](): void {
    this.client.close();
    this.process[Symbol.dispose]();
  }
}
