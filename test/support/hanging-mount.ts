import { once } from "node:events";
import { closeSync, constants, existsSync, mkdirSync, openSync, watch, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { run } from "./node-fixture.ts";

const systemPath = "/usr/sbin:/usr/bin:/sbin:/bin";

/** A `mount` before the system's in PATH that waits to be let go on, and then does what the system's does. */
export class HangingMount implements Disposable {
  readonly path: string;
  readonly #began: string;
  readonly #gate: string;
  readonly #directory: string;
  /** Of a pipe that the process holds as long as it lives. */
  readonly #life: Socket;

  constructor(directory: string) {
    mkdirSync(directory);
    this.#directory = directory;
    this.#began = join(directory, "began");
    this.#gate = join(directory, "gate");
    const life = join(directory, "life");
    run("mkfifo", this.#gate, life);
    const script = `exec 9>${life}; : >${this.#began}; read -r _ <${this.#gate}; PATH=${systemPath} exec mount "$@"`;
    writeFileSync(join(directory, "mount"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    this.path = `${directory}:${systemPath}`;
    const fd = openSync(life, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#life = new Socket({ fd, readable: true, writable: false });
  }

  /** Resolves once somebody mounts. */
  async began(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher = watch(this.#directory, () => existsSync(this.#began) && resolve());
    try {
      if (existsSync(this.#began)) resolve();
      await promise;
    } finally {
      watcher.close();
    }
  }

  /** Who waits sees the end of the pipe; nobody there is fine. */
  letGo(): void {
    try {
      closeSync(openSync(this.#gate, constants.O_WRONLY | constants.O_NONBLOCK));
    } catch {
      // ENXIO: nobody waits
    }
  }

  /** Resolves once the process that waited has ended. */
  async gone(): Promise<void> {
    this.#life.resume();
    if (!this.#life.readableEnded) await once(this.#life, "end");
  }

  [Symbol.dispose](): void {
    this.letGo();
    this.#life.destroy();
  }
}
