/** Every bound of work on trees, in one place: together they are what a tree may cost in memory. */
export const treeLimits = {
  /** Directories that are read or entered at once; fewer where the server admits fewer calls. */
  stepsInFlightMax: 64,
  /** Entries of pages that are being read or worked on: some 700 bytes each, and as many again are read ahead. */
  entriesInHandMax: 2048,
  /** Directories seen and not yet entered. Beyond it they are forgotten and read again when their turn comes. */
  directoriesWaitingMax: 65_536,
  /** Names of one directory that are removed by one call to the client. */
  removalsPerCall: 256,
  /** Files with several names that are remembered until all their names were seen. */
  hardLinksMax: 131_072,
  /** As above, for copies. Each entry costs several requests, so more would go no faster: it would only grow old in memory. */
  copying: { stepsInFlightMax: 32, entriesInHandMax: 512 },
  /** Files that are copied at once. */
  filesInFlightMax: 64,
  /** What copying through this process may hold in all its buffers. */
  copyBufferBytesMax: 16 * 1024 * 1024,
  /** Blocks of one file that are copied through this process at once. */
  blocksPerFileMax: 8,
  /** Runs of data in one sparse file that are asked for; a file in more pieces is read through. */
  dataRangesMax: 1024,
  /** The grain in which holes of a sparse file are found. */
  holeBytes: 64 * 1024,
} as const;
