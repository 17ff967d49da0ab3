/** Every bound of the client, in one place. The server's own are smaller where it says so. */
export const nfsLimits = {
  timeoutMsDefault: 30_000,
  port: 2049,
  /** One READ or WRITE; larger ones bring nothing on a LAN and hold up the calls behind them. */
  transferBytesMax: 1024 * 1024,
  /** READs of one file under way in `readAhead` and `readBlocks`. */
  blocksAheadMax: 8,
  /** WRITEs of one file under way in `writeBlocks`; each holds a block in memory. */
  blocksBehindMax: 8,
  /** How long the removal of what a failure has left may take. */
  cleanUpMsMax: 5000,
  /** What a request or reply has besides the data it carries. */
  headerBytesMax: 4096,
  handleBytesMax: 128,
  nameBytesMax: 255,
  linkTargetBytesMax: 4095,
  /**
   * What one READDIR may bring: some 400 entries. Larger pages are no faster (several are in flight), and
   * what they are decoded to outgrows V8's young generation (measured).
   */
  pageBytesMax: 64 * 1024,
  /** READDIR entries in one reply, by their least size. */
  pageEntriesMax: 16_384,
  /** Pages without a single entry in a row; a server that sends more is going in circles. */
  emptyPagesMax: 64,
  /** fattr4 of one file: opaque of ours, without ACLs. */
  attributesBytesMax: 1024,
  ownerBytesMax: 256,
  /** What MOUNT's EXPORT may list; MNTPATHLEN of RFC 1813 §5.1.3. */
  exportsMax: 4096,
  exportClientsMax: 4096,
  exportPathBytesMax: 1024,
  /** How many of them a message names, and how long asking for them may hold it up. */
  exportsTold: 8,
  explainMsMax: 2000,
  /** Retries of DELAY (JUKEBOX) and GRACE. */
  delayMsMin: 100,
  delayMsMax: 15_000,
  /** What the last of them is left to be answered in. */
  lastTryMs: 500,
  /** v4.1: what we ask for; the server grants what it likes (RFC 8881 §18.36). */
  slotsMax: 64,
  /** Not more: Ganesha 4.3 grants 128 when asked for them, and then refuses long compounds; with 64 it takes them. */
  operationsMax: 64,
  cachedResponseBytesMax: 4096,
  /** Calls waiting for a slot. */
  waitingMax: 65_536,
  /** Used until the server has named its lease. */
  leaseMsDefault: 30_000,
  /** Longer ones are renewed as if they were so long: Node.js knows no timer beyond 24 days. */
  leaseMsMax: 3_600_000,
  xattrNameBytesMax: 255,
  xattrValueBytesMax: 64 * 1024,
  xattrNamesMax: 4096,
  /** How often an operation finds its session lost before it gives up. */
  recoveriesMax: 8,
} as const;
