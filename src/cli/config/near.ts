/** The word that someone who wrote `word` most likely meant: at most two letters off, and less than half of it. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const scored = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= 2 && distance * 2 < candidate.length)
    .sort((a, b) => a.distance - b.distance);
  return scored[0]?.candidate;
}

/** Levenshtein's: letters to add, drop or change, row by row of the usual table. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [index, letter] of [...from].entries()) {
    row = nextRow(row, index + 1, letter, to);
  }
  return row.at(-1) ?? 0;
}

function nextRow(above: readonly number[], first: number, letter: string, to: string): number[] {
  const row = [first];
  for (let column = 1; column <= to.length; column++) {
    const changed = (above[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1);
    row.push(Math.min((above[column] ?? 0) + 1, (row[column - 1] ?? 0) + 1, changed));
  }
  return row;
}
