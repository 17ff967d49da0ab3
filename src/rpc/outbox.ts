import type { Socket } from "node:net";
import { assert } from "../core/assert.ts";
import { XdrWriter } from "../xdr/xdr-writer.ts";
import { rpcLimits } from "./limits.ts";
import { recordMark } from "./record.ts";

/**
 * Where calls wait for the end of the event loop's turn, to leave in one write: at depth, a system call
 * for each would cost more than all else. A record stays where it was written until its call is over,
 * so sending it again needs no copy.
 */
export class Outbox {
  readonly #socket: Socket;
  readonly #onReady: () => void;
  #writer = new XdrWriter(rpcLimits.outboxBytes);
  #sentBytes = 0;
  #scheduled = false;
  #blocked = false;

  /** @param onReady is called when the outbox becomes `ready` again */
  constructor(socket: Socket, onReady: () => void) {
    this.#socket = socket;
    this.#onReady = onReady;
    socket.on("drain", () => this.#unblock());
  }

  /** False while the server does not take what was sent already: back-pressure. */
  get ready(): boolean {
    return !this.#blocked && this.#writer.lengthBytes - this.#sentBytes < rpcLimits.recordBytesMax;
  }

  /** One record, as `write` makes it. @returns its bytes, with the mark; they stay as they are */
  append(write: (writer: XdrWriter) => void): Buffer {
    const writer = this.#writer;
    const start = writer.lengthBytes;
    try {
      write(writer.uint32(0));
    } catch (error) {
      writer.truncate(start); // a programmer's mistake must not spoil the calls of others
      throw error;
    }
    writer.patchUint32(start, recordMark(writer.lengthBytes - start - 4));
    this.#schedule();
    return writer.bytes(start);
  }

  /** A record of an earlier connection's outbox, as it was. */
  appendRecord(record: Buffer): void {
    assert(record.length % 4 === 0, "a record is XDR");
    this.#writer.fixedOpaque(record);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#socket.destroyed) return;
    const end = this.#writer.lengthBytes;
    this.#blocked = !this.#socket.write(this.#writer.bytes(this.#sentBytes, end));
    this.#sentBytes = end;
    if (end > rpcLimits.outboxBytes / 2) this.#renew();
    if (!this.#blocked) this.#onReady();
  }

  #renew(): void {
    this.#writer = new XdrWriter(rpcLimits.outboxBytes);
    this.#sentBytes = 0;
  }

  #unblock(): void {
    this.#blocked = false;
    this.#onReady();
  }
}
