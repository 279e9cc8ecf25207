const WORDS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}\p{M}_]+/gu;
const WORDS_AND_MARKS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}\p{M}_]+|[^\s\p{L}\p{N}\p{M}_]/gu;

/** Lower-case words without punctuation; a character of a script without spaces is a word of its own. */
export function words(text: string): string[] {
  return text.toLowerCase().match(WORDS) ?? [];
}

/** Words and, each by itself, punctuation marks; case counts. */
export function wordsAndMarks(text: string): string[] {
  return text.match(WORDS_AND_MARKS) ?? [];
}

/** How often each run of `size` tokens occurs. */
export function ngrams(tokens: readonly string[], size: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let at = 0; at + size <= tokens.length; at += 1) {
    const key = tokens.slice(at, at + size).join('\u0000');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** How many of the runs occur on both sides, each as often as on the side that has it more rarely. */
export function overlap(left: ReadonlyMap<string, number>, right: ReadonlyMap<string, number>): number {
  let common = 0;
  for (const [key, count] of left) common += Math.min(count, right.get(key) ?? 0);
  return common;
}
