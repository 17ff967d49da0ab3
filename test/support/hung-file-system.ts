import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, read, writeSync } from "node:fs";
import { promisify } from "node:util";

/** fuse(4): the header of a request, and the answer to INIT. */
const requestBytesMax = 256 * 1024;
const answerBytes = 80;
const opcodes = { lookup: 1, init: 26 };
const protocol = { major: 7, minor: 31, parallelLookups: 1 << 18 };

/**
 * A mounted file system whose server takes requests and does not answer: who touches it is held by the
 * kernel beyond SIGKILL, as by a dead NFS server. When this process ends, the kernel lets them go.
 */
export class HungFileSystem implements Disposable {
  readonly path: string;
  readonly #device: number;
  readonly #request = Buffer.alloc(requestBytesMax);
  #open = true;

  private constructor(path: string) {
    this.path = path;
    mkdirSync(path);
    this.#device = openSync("/dev/fuse", "r+");
    const options = "fd=3,rootmode=40000,user_id=0,group_id=0";
    const words = ["-n", "-i", "-t", "fuse", "-o", options, "hung", path];
    const { status, stderr } = spawnSync("mount", words, {
      stdio: ["ignore", "ignore", "pipe", this.#device],
    });
    if (status !== 0) throw new Error(`cannot mount a FUSE file system: ${stderr}`);
  }

  static async mount(path: string): Promise<HungFileSystem> {
    const hung = new HungFileSystem(path);
    await hung.#answerInit();
    return hung;
  }

  /** Takes the next look for a name, and keeps it: from then on its caller cannot be killed. */
  async takeLookup(): Promise<void> {
    await this.#take(opcodes.lookup);
  }

  /** The server is gone: whoever waits gets an error. */
  letGo(): void {
    if (this.#open) closeSync(this.#device);
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.letGo();
    spawnSync("umount", ["-n", "-i", "-l", this.path]);
  }

  /** Others, such as INTERRUPT for one that was killed, are kept too. */
  async #take(opcode: number): Promise<void> {
    do {
      await promisify(read)(this.#device, this.#request, 0, requestBytesMax, null);
    } while (this.#request.readUInt32LE(4) !== opcode);
  }

  async #answerInit(): Promise<void> {
    await this.#take(opcodes.init);
    const answer = Buffer.alloc(answerBytes);
    answer.writeUInt32LE(answerBytes, 0);
    answer.writeBigUInt64LE(this.#request.readBigUInt64LE(8), 8);
    answer.writeUInt32LE(protocol.major, 16);
    answer.writeUInt32LE(protocol.minor, 20);
    answer.writeUInt32LE(protocol.parallelLookups, 28);
    writeSync(this.#device, answer);
  }
}
