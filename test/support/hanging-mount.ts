import { once } from "node:events";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  watch,
  writeFileSync,
  writeSync,
} from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { run } from "./node-fixture.ts";

const systemPath = "/usr/sbin:/usr/bin:/sbin:/bin";

/** A `mount` before the system's in PATH that waits to be let go on, and then does what the system's does. */
export class HangingMount implements Disposable {
  readonly path: string;
  readonly #began: string;
  /** Of a pipe, held for reading too: what is written before anybody waits is still there when somebody does. */
  readonly #gate: number;
  readonly #directory: string;
  /** Of a pipe that the process holds as long as it lives. */
  readonly #life: Socket;

  constructor(directory: string) {
    mkdirSync(directory);
    this.#directory = directory;
    this.#began = join(directory, "began");
    const gate = join(directory, "gate");
    const life = join(directory, "life");
    run("mkfifo", gate, life);
    this.#gate = openSync(gate, constants.O_RDWR);
    const script = `exec 8<${gate} 9>${life}; : >${this.#began}; read -r _ <&8; PATH=${systemPath} exec mount "$@"`;
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

  /** Lets whoever waits go on, or who comes next. */
  letGo(): void {
    writeSync(this.#gate, "\n");
  }

  /** Resolves once the process that waited has ended. */
  async gone(): Promise<void> {
    this.#life.resume();
    if (!this.#life.readableEnded) await once(this.#life, "end");
  }

  [Symbol.dispose](): void {
    this.letGo();
    closeSync(this.#gate);
    this.#life.destroy();
  }
}
