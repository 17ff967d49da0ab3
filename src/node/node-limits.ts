/** Every bound of the node plugin's work on one machine. */
export const nodeLimits = {
  /** One step in a helper: a mount, an unmount. Far below the two minutes that kubelet gives a call. */
  stepMsMax: 20_000,
  /** Asking a server what a mount would find, before the kernel is let loose on it. */
  preflightMsMax: 10_000,
  /** Asking a server whether it is there. */
  pingMsMax: 3_000,
  /** Looking through a mount whose server has just answered. */
  lookMsMax: 5_000,
  /** One rung of the ladder: umount plain, by force, lazily. */
  unmountMsMax: 5_000,
  /** Deleting the directory of an inline volume, which a sweep can do later. */
  discardMsMax: 10_000,
  /** Counting one volume's bytes and files; callers with shorter deadlines get the last known value. */
  measureMsMax: 60_000,
  /** How long a killed helper may take to die before its volume is quarantined. */
  killMsMax: 1_000,
  /** Helpers at work at once; further steps wait for `waitMsMax`, then get UNAVAILABLE, and come again. */
  helpersBusyMax: 64,
  /** For a helper, when as many work as may. */
  waitMsMax: 5_000,
  /** Helpers kept waiting, each a shell of about 1 MB, so that a call need not start one. */
  helpersIdleMax: 2,
  /** Of these, for the volumes of one NFS server or of one local share: if it is dead, others still have helpers. */
  helpersPerStorageMax: 16,
  /** And for one volume: calls for it come one after another, but anybody may ask how full it is. */
  helpersPerVolumeMax: 4,
  /** Helpers that survive SIGKILL because the kernel waits for their storage; beyond, its volumes are refused. */
  helpersStuckMax: 16,
  /** Volumes being measured at once. */
  measuresMax: 4,
  /** What a helper may answer in all. */
  replyBytesMax: 64 * 1024,
  /** What an error message quotes of a command's own words. */
  quotedBytesMax: 500,
  /** Mounts of one volume on top of each other that one call takes away. */
  stackedMountsMax: 16,
} as const;

/** The same bounds with other values: tests have shorter ones. */
export type NodeLimits = { readonly [K in keyof typeof nodeLimits]: number };
