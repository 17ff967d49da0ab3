import { XdrWriter } from "../xdr/xdr-writer.ts";
import { rpcLimits } from "./limits.ts";

/** A buffer with the records of many calls, until nobody needs one of them any more. */
export class Segment {
  readonly writer = new XdrWriter(rpcLimits.outboxBytes);
  readonly #onFree: (segment: Segment) => void;
  #holders = 0;

  /** @param onFree is called when the last holder has let go */
  constructor(onFree: (segment: Segment) => void) {
    this.#onFree = onFree;
  }

  /** For a call whose record stands here, and for a write that is under way. */
  hold(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.#onFree(this);
  }
}

/** The segments of a connection, used in turn: what carries thousands of calls a second leaves nothing to collect. */
export class SegmentPool {
  readonly #free: Segment[] = [];

  take(): Segment {
    return (this.#free.pop() ?? new Segment(this.#giveBack)).hold();
  }

  readonly #giveBack = (segment: Segment): void => {
    segment.writer.truncate(0);
    if (this.#free.length < rpcLimits.segmentsFreeMax) this.#free.push(segment);
  };
}
