/** `stateid4` is a sequence number and 12 bytes (RFC 8881 §3.3.12). */
export const stateidBytes = 16;

/**
 * All zeros (RFC 8881 §8.2.3): reading and writing without having the file open. So the client holds no
 * state at the server that a restart or an expired lease could take.
 */
export const anonymousStateid: Uint8Array = Buffer.alloc(stateidBytes);

/** Sequence 1, other 0 (RFC 8881 §8.2.3): the stateid that an operation before in this compound made. */
export const currentStateid: Uint8Array = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
