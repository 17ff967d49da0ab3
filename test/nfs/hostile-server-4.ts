/**
 * A server that lies in NFS 4.1: it makes a session with any client and lets it connect to `/srv/data`, and then
 * answers single operations, or whole compounds, as a test tells it.
 *
 *     server.answer(operation.getfh, opaque(Buffer.alloc(4096)));
 *     server.answerAll((call) => accepted(word(status, 0, 0)));
 */
import { type Answer, accepted, type Last, LyingServer, opaque, word } from "./lying-server.ts";

/** RFC 8881 §16.2. */
export const operation = {
  close: 4,
  create: 6,
  getattr: 9,
  getfh: 10,
  link: 11,
  lookup: 15,
  nverify: 17,
  open: 18,
  putfh: 22,
  putrootfh: 24,
  read: 25,
  readdir: 26,
  readlink: 27,
  remove: 28,
  rename: 29,
  restorefh: 31,
  savefh: 32,
  verify: 37,
  write: 38,
  exchangeId: 42,
  createSession: 43,
  destroySession: 44,
  sequence: 53,
  destroyClientid: 57,
  reclaimComplete: 58,
} as const;

/** A call as the server sees it. */
export interface Compound {
  readonly sequence: number;
  readonly slot: number;
  readonly operations: readonly number[];
}

const sessionId = Buffer.from("a session of 16b");
const unlimited = 0x7fffffff;

/** Results of EXCHANGE_ID: client id, sequence, flags, no state protection, server, scope, no implementation. */
export const exchanged = Buffer.concat([
  word(0, 1, 1, 0x10000, 0, 0, 0),
  opaque("major"),
  opaque("scope"),
  word(0),
]);

/** Results of CREATE_SESSION with these channel attributes: padding, request, response, cached bytes, operations, slots. */
export function sessionOf(...channel: readonly number[]): Buffer {
  return Buffer.concat([sessionId, word(1, 0), word(...channel, 0), word(0, 4096, 4096, 0, 2, 1, 0)]);
}

/** Attributes of a directory: type, size, fsid, fileid. */
export const attributes = fattr([1, 4, 8, 20], word(2, 0, 4096, 0, 1, 0, 0, 0, 2));

/** `fattr4` (RFC 8881 §3.3.7) of attributes below 64. */
export function fattr(numbers: readonly number[], values: Buffer): Buffer {
  const words = [0, 0];
  for (const number of numbers) {
    const index = number >> 5;
    words[index] = ((words[index] ?? 0) | (1 << (number & 31))) >>> 0;
  }
  return Buffer.concat([word(2, ...words), opaque(values)]);
}

/** One result: its operation, OK, and what stands behind it. */
export function result(code: number, ...behind: readonly Buffer[]): Buffer {
  return Buffer.concat([word(code, 0), ...behind]);
}

/** SEQUENCE's result for a call, with what shall be wrong about it. */
export function sequenceResult({ sequence, slot }: Pick<Compound, "sequence" | "slot">): Buffer {
  return result(operation.sequence, sessionId, word(sequence, slot, 63, 63, 0));
}

const withArgument: ReadonlySet<number> = new Set([
  operation.putfh,
  operation.lookup,
  operation.remove,
  operation.rename,
  operation.link,
]);

export class HostileServer4 extends LyingServer {
  readonly #answers = new Map<number, Buffer>();
  #answerAll: ((call: Compound) => Answer) | undefined;
  readonly #failures = new Map<number, (number | undefined)[]>();
  readonly #counts = new Map<number, number>();
  /** Of attribute lease_time. */
  leaseSeconds = 20;
  /** Of maxread and maxwrite. */
  transferBytesMax = 65_536;

  constructor() {
    super();
    this.reset();
  }

  /** Tells the truth again. */
  reset(): void {
    this.#answerAll = undefined;
    this.#answers.clear();
    this.answer(operation.exchangeId, exchanged);
    this.answer(operation.createSession, sessionOf(0, unlimited, unlimited, 4096, 64, 64));
    this.answer(operation.getfh, opaque("a handle"));
    this.answer(operation.readlink, opaque("target"));
  }

  /** What stands behind OK of an operation, from now on. */
  answer(code: number, behind: Buffer): void {
    this.#answers.set(code, behind);
  }

  /** The next time that it meets this operation it fails with this status; once for each status, or not for undefined. */
  failNext(code: number, ...statuses: readonly (number | undefined)[]): void {
    this.#failures.set(code, [...statuses]);
  }

  /** How often it was asked for an operation. */
  count(code: number): number {
    return this.#counts.get(code) ?? 0;
  }

  /** What compounds within the session are answered with. */
  answerAll(answer: (call: Compound) => Answer): void {
    this.#answerAll = answer;
  }

  protected override answerTo(call: Buffer): Buffer | Last {
    const xid = call.readUInt32BE(0);
    const reader = new CallReader(call, 24);
    reader.auth(); // credential
    reader.auth(); // verifier
    reader.opaque(); // tag
    reader.word(); // minor version
    const count = reader.word();
    let compound: Compound = { sequence: 0, slot: 0, operations: [] };
    const results: Buffer[] = [];
    for (let index = 0; index < count; index++) {
      const code = reader.word();
      compound = { ...compound, operations: [...compound.operations, code] };
      this.#counts.set(code, this.count(code) + 1);
      const failure = this.#failures.get(code)?.shift();
      if (failure !== undefined) {
        return accepted(word(failure, 0, index + 1), ...results, word(code, failure))(xid);
      }
      if (code === operation.sequence) {
        reader.skip(16);
        compound = { ...compound, sequence: reader.word(), slot: reader.word() };
        reader.skip(8);
        results.push(sequenceResult(compound));
      } else {
        results.push(result(code, this.#behind(code, reader)));
      }
    }
    if (this.#answerAll !== undefined && compound.operations[0] === operation.sequence) {
      return this.#answerAll(compound)(xid);
    }
    return accepted(word(0, 0, count), ...results)(xid);
  }

  /** Reads the arguments of an operation. */
  #behind(code: number, reader: CallReader): Buffer {
    const told = this.#answers.get(code);
    if (withArgument.has(code)) reader.opaque(); // a handle, or a name
    if (code === operation.rename) reader.opaque(); // and another
    if (code === operation.open)
      reader
        .skip(4 * 3 + 8)
        .opaque()
        .skip(4 * 2)
        .bitmap();
    if (code === operation.open) reader.opaque().skip(4).opaque(); // attributes, claim, name
    if (code === operation.close) reader.skip(4 + 16);
    if (code === operation.write) reader.skip(16 + 8 + 4).opaque();
    if (code === operation.create) reader.skip(4).opaque();
    if (code === operation.verify || code === operation.nverify || code === operation.create) {
      reader.bitmap();
      reader.opaque();
    }
    if (code === operation.reclaimComplete) reader.word();
    if (code === operation.read) reader.skip(16 + 8 + 4);
    if (code === operation.readdir) reader.skip(8 + 8 + 4 + 4).bitmap();
    if (code === operation.getattr) return this.#attributes(reader.bitmap(), told);
    return told ?? Buffer.alloc(0);
  }

  #attributes([first = 0]: readonly number[], told: Buffer | undefined): Buffer {
    if (first === 1 << 10) return fattr([10], word(this.leaseSeconds));
    if (first === 0xc000_0000) {
      return fattr([30, 31], word(0, this.transferBytesMax, 0, this.transferBytesMax));
    }
    return told ?? attributes;
  }
}

class CallReader {
  readonly #call: Buffer;
  #offset: number;

  constructor(call: Buffer, offset: number) {
    this.#call = call;
    this.#offset = offset;
  }

  word(): number {
    this.#offset += 4;
    return this.#call.readUInt32BE(this.#offset - 4);
  }

  opaque(): this {
    const length = this.word();
    return this.skip(length + (-length & 3));
  }

  bitmap(): readonly number[] {
    return Array.from({ length: this.word() }, () => this.word());
  }

  auth(): void {
    this.word(); // flavor
    this.opaque();
  }

  skip(bytes: number): this {
    this.#offset += bytes;
    return this;
  }
}
