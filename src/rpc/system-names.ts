import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";

type Lookup = (name: string) => Promise<readonly LookupAddress[]>;

/**
 * Addresses of names as the system has them (hosts file, DNS), each name looked up once at a time for all who ask.
 * A look-up that waits for a dead DNS server cannot be cut short, and holds one of the few threads of the process
 * until the system gives up: without this, each retry of each volume would put one more into their queue.
 */
export class SystemNames {
  readonly #lookup: Lookup;
  readonly #flights = new Map<string, Promise<readonly LookupAddress[]>>();

  constructor(lookUp: Lookup = (name) => lookup(name, { all: true })) {
    this.#lookup = lookUp;
  }

  /** @throws Error of the system for a name without an address */
  resolve(name: string): Promise<readonly LookupAddress[]> {
    const under = this.#flights.get(name);
    if (under !== undefined) return under;
    const flight = this.#lookup(name).finally(() => this.#flights.delete(name));
    this.#flights.set(name, flight);
    return flight;
  }
}

/** Of this process, as its threads are. */
export const systemNames = new SystemNames();
