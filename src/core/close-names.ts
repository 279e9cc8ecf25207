const COMPARED_NAMES_MAX = 2_000;
const COMPARED_LENGTH_MAX = 64;

/**
 * Names that someone who wrote `name` may have meant, nearest first. Bounded in work: very long names and the tail of
 * very long lists are not compared.
 */
export function closeNames(name: string, known: Iterable<string>, limit = 3): string[] {
  const wanted = name.slice(0, COMPARED_LENGTH_MAX).toLowerCase();
  const tolerance = Math.max(1, Math.floor(wanted.length / 3));
  const found: { name: string; distance: number }[] = [];
  let compared = 0;
  for (const candidate of known) {
    compared += 1;
    if (compared > COMPARED_NAMES_MAX) break;
    const text = candidate.slice(0, COMPARED_LENGTH_MAX).toLowerCase();
    const distance = Math.min(
      editDistance(wanted, text, tolerance),
      contains(text, wanted) ? tolerance + 1 : Number.POSITIVE_INFINITY,
    );
    if (distance <= tolerance + 1) found.push({ name: candidate, distance });
  }
  found.sort((left, right) => left.distance - right.distance);
  return found.slice(0, limit).map((entry) => entry.name);
}

/** Two names of which one is the other with more around it: `gpt-4o` and `openai/gpt-4o`. */
function contains(left: string, right: string): boolean {
  if (left.length < 3 || right.length < 3) return false;
  return left.includes(right) || right.includes(left);
}

/** Characters to add, leave out, change, or swap with their neighbour; anything above `limit` is answered as Infinity. */
function editDistance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) > limit) return Number.POSITIVE_INFINITY;
  let beforeLast: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const change = left[row - 1] === right[column - 1] ? 0 : 1;
      const isSwap =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + change,
          isSwap ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    beforeLast = previous;
    previous = current;
  }
  const distance = previous[right.length] ?? 0;
  return distance <= limit ? distance : Number.POSITIVE_INFINITY;
}

/** ` Did you mean 'a' or 'b'?`, or nothing. */
export function suggestion(name: string, known: Iterable<string>): string {
  const names = closeNames(name, known).map((close) => `'${close}'`);
  return names.length === 0 ? '' : ` Did you mean ${names.join(' or ')}?`;
}
