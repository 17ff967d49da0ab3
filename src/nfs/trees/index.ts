/** Work on whole trees over an `NfsClient`: `berth/nfs/trees`. */

export { type CopyOptions, type CopyReport, type CopyTarget, copyTree } from "./copy.ts";
export type { CopyWay } from "./copy-content.ts";
export { removeTree } from "./remove.ts";
export type { TreeEntry } from "./tree-directory.ts";
export type { NamedTreeOptions, TreeOptions, TreeProgress } from "./tree-options.ts";
export { type TreeUsage, usageOfTree } from "./usage.ts";
export { type WalkPage, walkTree } from "./walk.ts";
