/** What a caller does with bytes while a reply is being decoded. */
export type Take<Data> = (bytes: Uint8Array) => Data;

/** Bytes that outlive the reply. */
export const copied: Take<Uint8Array> = (bytes) => Buffer.from(bytes);

/**
 * Keeps the caller's own failure apart from those of decoding, which are the server's fault: it is thrown when the
 * reply has been taken.
 */
export function tried<Data>(take: Take<Data>): Take<() => Data> {
  return (bytes) => {
    try {
      const data = take(bytes);
      return () => data;
    } catch (error) {
      return () => {
        throw error;
      };
    }
  };
}
