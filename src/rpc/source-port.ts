import { randomInt } from "node:crypto";
import { rpcLimits } from "./limits.ts";

/**
 * From which local port a connection comes. `reserved`: below 1024, as servers with the export option
 * "secure" want it. `auto`: any, and a reserved one once the server's refusal looks like that.
 */
export type SourcePort = "any" | "reserved" | "auto";

/**
 * Local ports to try in turn; `undefined` leaves it to the kernel. The port of the last connection comes
 * first: a v3 server knows a repeated call by it (its duplicate request cache, RFC 1813 §4.5).
 */
export function* localPorts(wanted: "any" | "reserved", lastPort?: number): Generator<number | undefined> {
  if (lastPort !== undefined) yield lastPort;
  if (wanted === "any") {
    yield undefined;
    return;
  }
  const count = rpcLimits.reservedPortMax - rpcLimits.reservedPortMin + 1;
  const first = randomInt(count);
  for (let step = 0; step < count; step++) {
    yield rpcLimits.reservedPortMin + ((first + step) % count);
  }
}
