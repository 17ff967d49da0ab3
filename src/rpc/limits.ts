/** Every bound of the transport, in one place. */
export const rpcLimits = {
  /** A reply; the largest is a READ of 1 MiB with its headers. */
  recordBytesMax: 1024 * 1024 + 64 * 1024,
  /** Fragments of one record (RFC 5531 §11); real servers send one. */
  fragmentsMax: 1024,
  /** Calls on the wire at once. */
  callsInFlightMax: 256,
  /** Calls waiting for a place on the wire; further ones are refused. */
  callsQueuedMax: 65_536,
  /** How often one call is put on a wire, counting each new connection. */
  sendsMax: 8,
  /** How long a connection with calls in flight may bring nothing before it counts as dead. */
  stallMsMax: 15_000,
  /** One address of a server. */
  connectMsMax: 10_000,
  reconnectDelayMsMin: 50,
  reconnectDelayMsMax: 5_000,
  keepaliveMs: 10_000,
  /** Addresses of one name that are tried. */
  addressesMax: 8,
  /** RFC 5531 §8.1: the body of a credential. */
  authBytesMax: 400,
  /** RFC 5531 appendix A. */
  groupsMax: 16,
  /** Local ports that "reserved" tries: as Linux does, above those of well-known services. */
  reservedPortMin: 665,
  reservedPortMax: 1023,
  /** Calls are written into buffers of this size, many in one. */
  outboxBytes: 64 * 1024,
  /** Such buffers that are kept for reuse. */
  segmentsFreeMax: 4,
  /** What one read from a socket takes. */
  receiveBytes: 64 * 1024,
} as const;
