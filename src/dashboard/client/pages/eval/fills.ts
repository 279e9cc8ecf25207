const FILLS = 6;

/** The colour of the n-th target. */
export function fillOf(index: number): string {
  return index < FILLS ? String(index + 1) : 'rest';
}
