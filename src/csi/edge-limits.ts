/** The bounds of the gRPC edge that are neither CSI's nor the domain's (`core/limits.ts`). */
export const edgeLimits = {
  /** A request; CSI's own limits add up to far less. */
  requestBytesMax: 1024 * 1024,
  /** A status message, in UTF-8: it travels in a header, which clients bound at 8 KiB or more. */
  statusMessageBytesMax: 4096,
  /** Connections at once. Kubelet opens one for each call. */
  connectionsMax: 1024,
  /** A connection without calls is closed after this, also one that never said a word. */
  connectionIdleMsMax: 5 * 60_000,
  /** Calls that outlive the drain are aborted, and get this long to notice. */
  abortMsMax: 2_000,
} as const;
