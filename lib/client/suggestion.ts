/** Guesses which name was meant by one that is not known: typing errors, missing letters, missing units. */

/** `; did you mean …?` with the closest known name, or nothing when none is close. */
export function suggestion(name: string, known: ReadonlySet<string>): string {
  const [closest] = [...known]
    .map((candidate) => ({ candidate, distance: distanceOf(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance !== undefined)
    .sort((a, b) => (a.distance ?? 0) - (b.distance ?? 0));
  return closest === undefined ? '' : `; did you mean ${closest.candidate}?`;
}

/**
 * How far two names are apart: the letters to change, when that is two at most and less than half of them, or the letters
 * that are missing, when they start alike. `undefined` for names that have nothing to do with each other.
 */
function distanceOf(a: string, b: string): number | undefined {
  const missing = Math.abs(a.length - b.length);
  if (missing <= 2) {
    const changes = editDistance(a, b);
    if (changes <= 2 && changes * 2 < Math.max(a.length, b.length)) return changes;
  }
  const startsAlike = a.length > 2 && (a.startsWith(b.slice(0, 6)) || b.startsWith(a.slice(0, 6)));
  return startsAlike ? missing : undefined;
}

/** The letters to add, drop or change to make one word of the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const letter of a) {
    let diagonal = row[0] ?? 0;
    const next = [diagonal + 1];
    for (let column = 1; column < row.length; column++) {
      const above = row[column] ?? 0;
      const changed = diagonal + (letter === b[column - 1] ? 0 : 1);
      next.push(Math.min(changed, above + 1, (next[column - 1] ?? 0) + 1));
      diagonal = above;
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
