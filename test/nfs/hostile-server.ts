/**
 * A server that lies: it lets a client of NFS 3 mount `/srv/data` and then answers as a test tells it.
 *
 *     await using server = new HostileServer();
 *     await server.listen();
 *     server.answer(procedure.readdirplus, () => accepted(word(0), …));
 */
import { type Answer, accepted, type Last, LyingServer, opaque, word } from "./lying-server.ts";

/** RFC 1813 §3.3. */
export const procedure = {
  getattr: 1,
  lookup: 3,
  access: 4,
  readlink: 5,
  read: 6,
  write: 7,
  create: 8,
  mkdir: 9,
  remove: 12,
  rmdir: 13,
  readdirplus: 17,
  fsinfo: 19,
  commit: 21,
} as const;

const mountProgram = 100005;

/** fattr3 of a directory (RFC 1813 §2.5): type, mode, links, owners, sizes, device, fsid, fileid, three times. */
export const directoryAttributes = word(
  2,
  0o755,
  2,
  0,
  0,
  0,
  4096,
  0,
  4096,
  0,
  0,
  0,
  1,
  0,
  2,
  0,
  0,
  0,
  0,
  0,
  0,
);

const rootHandle = opaque("the root");
const fsinfo = Buffer.concat([
  word(0, 1),
  directoryAttributes,
  word(65536, 65536, 1, 65536, 65536, 1, 65536, 0x7fffffff, 0xffffffff, 0, 1, 0x1b),
]);

export class HostileServer extends LyingServer {
  readonly #answers = new Map<number, Answer>();

  constructor() {
    super();
    this.answer(procedure.getattr, accepted(word(0), directoryAttributes));
    this.answer(procedure.fsinfo, accepted(fsinfo));
  }

  /** From now on, for each call of this procedure of NFS. */
  answer(number: number, answer: Answer): void {
    this.#answers.set(number, answer);
  }

  /** Of NFS and of MOUNT. */
  protected override answerTo(call: Buffer): Buffer | Last {
    const [xid, program, number] = [call.readUInt32BE(0), call.readUInt32BE(12), call.readUInt32BE(20)];
    if (program === mountProgram) {
      return accepted(...(number === 1 ? [word(0), rootHandle, word(1, 1)] : []))(xid);
    }
    return (this.#answers.get(number) ?? accepted())(xid);
  }
}
