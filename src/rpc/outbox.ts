import type { Socket } from "node:net";
import type { XdrWriter } from "../xdr/xdr-writer.ts";
import { rpcLimits } from "./limits.ts";
import { recordMark } from "./record.ts";
import type { Segment, SegmentPool } from "./segment.ts";

const markBytes = 4;

/** Where a record stands, so that sending it again needs nothing but this. */
export interface SentRecord {
  readonly segment: Segment;
  readonly start: number;
  readonly end: number;
}

/**
 * Where calls wait for the end of the event loop's turn, to leave in one write: at depth, a system call
 * for each would cost more than all else. A record stays where it was written until its call is over.
 */
export class Outbox {
  readonly #socket: Socket;
  readonly #segments: SegmentPool;
  readonly #onReady: () => void;
  /** Where records are written now: up to `#sentBytes` they have left. */
  #segment: Segment;
  #sentBytes = 0;
  #unsentBytes = 0;
  #scheduled = false;
  #blocked = false;

  /** @param onReady is called when the outbox becomes `ready` again */
  constructor(socket: Socket, segments: SegmentPool, onReady: () => void) {
    this.#socket = socket;
    this.#segments = segments;
    this.#segment = segments.take();
    this.#onReady = onReady;
    socket.on("drain", () => this.#unblock());
  }

  /** False while the server does not take what was sent already: back-pressure. */
  get ready(): boolean {
    return !this.#blocked && this.#unsentBytes < rpcLimits.recordBytesMax;
  }

  /** One record, as `write` makes it. The caller holds its segment until the call is over. */
  append(write: (writer: XdrWriter) => void): SentRecord {
    const segment = this.#segment;
    const { writer } = segment;
    const start = writer.lengthBytes;
    const before = writer.sizeBytes;
    try {
      write(writer.uint32(0));
    } catch (error) {
      writer.truncate(start); // a programmer's mistake must not spoil the calls of others
      throw error;
    }
    const recordBytes = writer.sizeBytes - before;
    writer.patchUint32(start, recordMark(recordBytes - markBytes));
    this.#unsentBytes += recordBytes;
    this.#schedule();
    return { segment: segment.hold(), start, end: writer.lengthBytes };
  }

  /** A record of an earlier connection's outbox, as it was. */
  appendAgain({ segment, start, end }: SentRecord): void {
    const record = segment.writer.bytes(start, end);
    this.#segment.writer.fixedOpaque(record);
    this.#unsentBytes += record.length;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  /** Sends at once what waits: for a call that has no company to wait for. */
  flush(): void {
    if (this.#unsentBytes === 0 || this.#socket.destroyed) return;
    const segment = this.#segment.hold();
    const { lengthBytes } = segment.writer;
    this.#blocked = !this.#write(segment.writer.pieces(this.#sentBytes, lengthBytes), () =>
      segment.release(),
    );
    this.#sentBytes = lengthBytes;
    this.#unsentBytes = 0;
    if (lengthBytes > rpcLimits.outboxBytes / 2) this.#renew();
    if (!this.#blocked) this.#onReady();
  }

  /** In one system call. @returns whether the socket takes more */
  #write(pieces: readonly Buffer[], done: () => void): boolean {
    if (pieces.length === 1 && pieces[0] !== undefined) return this.#socket.write(pieces[0], done);
    this.#socket.cork();
    let takesMore = true;
    for (const piece of pieces)
      takesMore = this.#socket.write(piece, piece === pieces.at(-1) ? done : undefined);
    this.#socket.uncork();
    return takesMore;
  }

  #renew(): void {
    this.#segment.release();
    this.#segment = this.#segments.take();
    this.#sentBytes = 0;
  }

  #unblock(): void {
    this.#blocked = false;
    this.#onReady();
  }
}
