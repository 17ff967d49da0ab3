/**
 * From which local port a connection comes. `reserved`: below 1024, as servers with the export option
 * "secure" want it. `auto`: any, and a reserved one once the server's refusal looks like that.
 */
export type SourcePort = "any" | "reserved" | "auto";
