/**
 * A network between a client and a server that does to each RPC record what a plan says (`fault-plan.ts`),
 * or that only takes its time, without costing throughput:
 *
 *     await using proxy = await startProxy({ host, port, faults: { seed: 7, rates: { cut: 0.05 } } });
 *     await using slow = await startProxy({ host, port, delayMs: 2.4 });   // round trip
 */
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { DelayLine } from "./delay-line.ts";
import { type Direction, type Fault, type FaultPlan, faultOf, type RecordPlace } from "./fault-plan.ts";
import { LocalServer } from "./local-server.ts";

export interface ProxyOptions {
  readonly host: string;
  readonly port: number;
  /** What happens to records; nothing unless given. May be changed while it runs. */
  readonly faults?: FaultPlan;
  /** Added to each round trip, half in each direction; in place of faults. */
  readonly delayMs?: number;
}

export interface NetworkProxy extends AsyncDisposable {
  readonly port: number;
  /** What was done to which record; records that passed are left out. */
  readonly log: readonly (RecordPlace & { readonly fault: Fault })[];
  /** Records that have come from clients; not counted where it only takes its time. */
  readonly requests: number;
  /** Connections that are open now. */
  readonly openConnections: number;
  /** From now on; undefined lets everything pass. */
  setFaults(faults: FaultPlan | undefined): void;
}

export async function startProxy(options: ProxyOptions): Promise<NetworkProxy> {
  const proxy = new FaultyProxy(options);
  await proxy.listen();
  return proxy;
}

class FaultyProxy extends LocalServer implements NetworkProxy {
  readonly log: (RecordPlace & { readonly fault: Fault })[] = [];
  readonly #options: ProxyOptions;
  #faults: FaultPlan | undefined;
  #connections = 0;
  #requests = 0;

  constructor(options: ProxyOptions) {
    super();
    this.#options = options;
    this.#faults = options.faults;
  }

  get requests(): number {
    return this.#requests;
  }

  get openConnections(): number {
    return this.sockets.size / 2;
  }

  setFaults(faults: FaultPlan | undefined): void {
    this.#faults = faults;
  }

  protected serve(client: Socket): void {
    const server = connect({ host: this.#options.host, port: this.#options.port, noDelay: true });
    const connection = this.#connections++;
    const end = () => {
      client.destroy();
      server.destroy();
      this.sockets.delete(client);
      this.sockets.delete(server);
    };
    for (const socket of [client, server]) {
      this.sockets.add(socket);
      socket.on("error", end);
      socket.on("close", end);
    }
    this.#pump(client, server, connection, "to-server", end);
    this.#pump(server, client, connection, "to-client", end);
  }

  #pump(from: Socket, to: Socket, connection: number, direction: Direction, end: () => void): void {
    const { delayMs } = this.#options;
    if (delayMs !== undefined) {
      const line = new DelayLine(delayMs / 2, (chunk) => {
        if (to.write(chunk) || from.isPaused()) return;
        from.pause();
        to.once("drain", () => from.resume());
      });
      from.on("data", (chunk) => line.push(chunk));
      return;
    }
    const way = new FaultyWay(to, end, (record) => this.#decide({ connection, direction, record }));
    void passRecords(from, way).then(end, end);
  }

  #decide(place: RecordPlace): Fault {
    if (place.direction === "to-server") this.#requests += 1;
    const fault: Fault = this.#faults === undefined ? { kind: "pass" } : faultOf(this.#faults, place);
    if (fault.kind !== "pass") this.log.push({ ...place, fault });
    return fault;
  }
}

/** One direction of one connection. */
class FaultyWay {
  readonly #to: Socket;
  readonly #end: () => void;
  readonly #decide: (record: number) => Fault;
  #records = 0;
  #held: Buffer = Buffer.alloc(0);

  constructor(to: Socket, end: () => void, decide: (record: number) => Fault) {
    this.#to = to;
    this.#end = end;
    this.#decide = decide;
  }

  /** @param more whether the next record is here already: without one there is nothing to join with */
  async pass(record: Buffer, more: boolean): Promise<void> {
    const fault = this.#decide(this.#records++);
    const bytes = Buffer.concat([this.#held, record]);
    this.#held = Buffer.alloc(0);
    const bodyStart = bytes.length - record.length + 4;
    switch (fault.kind) {
      case "pass":
        return await this.#write(bytes);
      case "delay":
        await delay(fault.ms);
        return await this.#write(bytes);
      case "drop":
        return this.#end();
      case "cut":
        await this.#write(bytes.subarray(0, Math.max(1, Math.floor(bytes.length * fault.at))));
        return this.#end();
      case "split":
        return await this.#writeInPieces(bytes, fault.pieces);
      case "join":
        if (!more) return await this.#write(bytes);
        this.#held = bytes;
        return;
      case "duplicate":
        return await this.#write(Buffer.concat([bytes, record]));
      case "corrupt":
        return await this.#write(corrupted(bytes, bodyStart, fault));
      case "corrupt-mark":
        return await this.#write(
          Buffer.concat([
            corrupted(bytes.subarray(0, bodyStart), bodyStart - 4, fault),
            bytes.subarray(bodyStart),
          ]),
        );
    }
  }

  async #writeInPieces(bytes: Buffer, pieces: number): Promise<void> {
    const size = Math.ceil(bytes.length / pieces);
    for (let start = 0; start < bytes.length; start += size) {
      await this.#write(bytes.subarray(start, start + size));
    }
  }

  /** Resolves when the bytes have gone to the kernel: what is written next is another segment. */
  async #write(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#to.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }
}

async function passRecords(from: Socket, way: FaultyWay): Promise<void> {
  let buffered: Buffer = Buffer.alloc(0);
  for await (const chunk of from) {
    buffered = Buffer.concat([buffered, chunk]);
    for (let length = recordLength(buffered); length !== undefined; length = recordLength(buffered)) {
      const record = buffered.subarray(0, length);
      buffered = buffered.subarray(length);
      await way.pass(record, recordLength(buffered) !== undefined);
    }
  }
}

/** Of the whole record at the beginning, marks included (RFC 5531 §11); undefined while some of it is missing. */
function recordLength(bytes: Buffer): number | undefined {
  let end = 0;
  for (;;) {
    if (bytes.length < end + 4) return undefined;
    const mark = bytes.readUInt32BE(end);
    end += 4 + (mark & 0x7fffffff);
    if (bytes.length < end) return undefined;
    if (mark >= 0x80000000) return end;
  }
}

/** These bytes with one from `start` on changed. */
function corrupted(bytes: Buffer, start: number, fault: { at: number; xor: number }): Buffer {
  const changed = Buffer.from(bytes);
  const position = start + Math.floor((bytes.length - start) * fault.at);
  changed.writeUInt8(changed.readUInt8(position) ^ fault.xor, position);
  return changed;
}
