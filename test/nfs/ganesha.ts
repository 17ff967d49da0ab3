/** NFS-Ganesha for tests: the lab's. */
export * from "../../src/lab/guest/ganesha.ts";
