/** Every bound of Berth, in one place. CSI's own are in its spec under "size limits". */
export const limits = {
  /** CSI: a string field. */
  csiStringBytesMax: 128,
  /** CSI: all keys and values of a map together. */
  csiMapBytesMax: 4096,
  /** CSI: `node_id`. */
  csiNodeIdBytesMax: 256,
  /** CSI: all mount flags together. */
  csiMountFlagsBytesMax: 4096,
  /** Linux PATH_MAX, for the paths that CSI exempts. */
  pathBytesMax: 4095,
  /** Linux NAME_MAX. */
  fileNameBytesMax: 255,
  /** sockaddr_un.sun_path less its NUL; a longer one would be cut silently and bound elsewhere. */
  unixSocketPathBytesMax: 107,
  /** The volume's own name within an id; a longer one is given as a digest. */
  volumeNameBytesMax: 64,
  /** A volume's directory: a node mounts it with NFS 3 as well, whose paths have 1024 bytes (RFC 1813 §5.1.4). */
  subDirBytesMax: 512,
  subDirDepthMax: 16,
  /** A record on a share; a larger file is not ours. */
  recordBytesMax: 64 * 1024,
  /** A century: the end of any longer one might have no ISO 8601 date of four digits, as records keep it. */
  durationMsMax: 36_500 * 86_400_000,
  /** Entries in one page of a list, when the caller names no bound. */
  listPageEntriesMax: 1000,
  /** gRPC calls in flight in one process; further ones get UNAVAILABLE, and come again. */
  callsInFlightMax: 1024,
  /** Of these, how many change volumes of one share at once: more would go hardly faster, and each keeps memory. */
  volumeChangesAtOnceMax: 32,
  /** How long a step of a call may wait for its share: below the 10 s that csi-provisioner and csi-resizer give a call. */
  silenceMsMax: 8_000,
  /** A step is given as much even when its call's deadline is near or past: a share that answers makes progress. */
  silenceMsMin: 1_000,
  /** What is left of a call's deadline to tell the caller why. */
  answerMsMax: 500,
  /** How long calls in flight may go on after SIGTERM; Kubernetes kills after 30 s. */
  drainMsMax: 20_000,
  /** How long work in the background may take to end after that: it may wait for a silent server. */
  closeMsMax: 3_000,
} as const;
