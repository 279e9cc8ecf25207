/** With or without groups of three; a sign counts where it does not stand between numbers, as in `5-3`. */
const NUMBER = /(?:(?<![\w.)])[-+−])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?|(?<![\d.])\.\d+/g;

/**
 * The number that a text gives: its first, its last (unless said otherwise), or its only one; after the last occurrence
 * of `after` where that occurs. Null when there is none, or more than the only one.
 */
export function numberIn(
  text: string,
  { pick = 'last', after }: { pick?: 'first' | 'last' | 'only' | undefined; after?: string | undefined },
): number | null {
  const mark = after === undefined ? -1 : text.lastIndexOf(after);
  const found = (mark === -1 ? text : text.slice(mark + (after ?? '').length)).match(NUMBER) ?? [];
  if (pick === 'only' && found.length !== 1) return null;
  // What follows a mark is the answer, and then perhaps some more words.
  const chosen = pick === 'first' || (mark !== -1 && pick === 'last') ? found[0] : found.at(-1);
  if (chosen === undefined) return null;
  const number = Number(chosen.replaceAll(',', '').replace('−', '-'));
  return Number.isFinite(number) ? number : null;
}
