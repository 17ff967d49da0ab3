import { readFileSync, statSync } from "node:fs";

/** The certificates of authorities to trust, or what is wrong with their file. */
export type CaFile =
  | { readonly status: "ok"; readonly content: Buffer }
  | { readonly status: "error"; readonly problem: string };

/** All authorities that Mozilla trusts take a fifth of it. */
const bytesMax = 1024 * 1024;

/** A pipe would be waited for without end, and a device has none. */
export function readCaFile(path: string): CaFile {
  try {
    const stats = statSync(path);
    if (!stats.isFile() || stats.size > bytesMax) return problem("is no file of certificates");
    const content = readFileSync(path);
    const isPem = /-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/.test(content.toString("latin1"));
    return isPem ? { status: "ok", content } : problem("holds no certificate in PEM");
  } catch (reason) {
    const code = reason instanceof Error && "code" in reason ? reason.code : reason;
    return problem(`cannot be read (${String(code)})`);
  }
}

function problem(text: string): CaFile {
  return { status: "error", problem: text };
}
