/** Everything on the screen fits into this many columns. */
export const columns = 80;

/** UUIDs and digests by their beginning: enough to tell them apart, and readable. */
export function abbreviate(text: string): string {
  return text
    .replaceAll(/\b([0-9a-f]{8})[0-9a-f]{56}\b/g, "$1…")
    .replaceAll(/\b([0-9a-f]{8})(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "$1…");
}

/** A path in at most `width` columns: what does not fit is left out of its middle. */
export function fitPath(path: string, width: number): string {
  const short = abbreviate(path);
  if (short.length <= width) return short;
  const parts = short.split("/");
  for (let dropped = 1; dropped < parts.length - 1; dropped += 1) {
    const start = Math.ceil((parts.length - dropped) / 2);
    const kept = [...parts.slice(0, start), "…", ...parts.slice(start + dropped)].join("/");
    if (kept.length <= width) return kept;
  }
  return fit(short, width);
}

/** A text in at most `width` columns: what does not fit is cut off. */
export function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Words in lines of at most `width` columns. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? fit(word, width) : `${line} ${fit(word, width)}`;
  }
  return [...lines, line];
}

/** `12.3 ms`, `1.20 s`. */
export function printDuration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(2)} s`;
}
