import { stemmer } from 'stemmer';

const UNPAIRED = -1;
/** What Porter's rules are for. */
const ENGLISH = /^[a-z]+$/;

/**
 * METEOR of Banerjee and Lavie (2005) with two of its stages: words pair when they are the same, then those that are left when
 * their stems are (Porter), not by synonyms. The harmonic mean of precision and recall with nine times the weight on recall,
 * less up to half of it the more the common words are in pieces. Words are in lower case.
 */
export function meteor(candidate: readonly string[], reference: readonly string[]): number {
  const pairs = new Int32Array(candidate.length).fill(UNPAIRED);
  const taken = new Uint8Array(reference.length);
  pair(pairs, taken, candidate, reference);
  pair(pairs, taken, candidate.map(stemOf), reference.map(stemOf));
  const matches = pairs.reduce((count, place) => count + (place === UNPAIRED ? 0 : 1), 0);
  if (matches === 0) return 0;
  const chunks = pairs.reduce(
    (count, place, index) => count + (place === UNPAIRED || follows(pairs, index) ? 0 : 1),
    0,
  );
  const precision = matches / candidate.length;
  const recall = matches / reference.length;
  const mean = (10 * precision * recall) / (recall + 9 * precision);
  return mean * (1 - 0.5 * (chunks / matches) ** 3);
}

function stemOf(word: string): string {
  return ENGLISH.test(word) ? stemmer(word) : word;
}

/** Whether the word goes on with the piece of the word before it. */
function follows(pairs: Int32Array, index: number): boolean {
  const before = pairs[index - 1] ?? UNPAIRED;
  return before !== UNPAIRED && before + 1 === pairs[index];
}

/**
 * Pairs words that are not paired yet, from left to right: where a piece cannot go on, with the place that begins the longest
 * new one. Sets `pairs`, the place of each word, and `taken`.
 */
function pair(pairs: Int32Array, taken: Uint8Array, candidate: readonly string[], reference: readonly string[]): void {
  const places = new Map<string, number[]>();
  for (const [index, token] of reference.entries()) {
    if (taken[index] === 1) continue;
    const known = places.get(token);
    if (known) known.push(index);
    else places.set(token, [index]);
  }
  for (const [index, token] of candidate.entries()) {
    if (pairs[index] !== UNPAIRED) continue;
    const before = pairs[index - 1] ?? UNPAIRED;
    let place = before === UNPAIRED ? Number.NaN : before + 1;
    if (reference[place] !== token || taken[place] === 1) {
      const free = (places.get(token) ?? []).filter((each) => taken[each] === 0);
      place = longest(free, (each) => runLength(candidate, index, reference, each, taken));
      if (Number.isNaN(place)) continue;
    }
    taken[place] = 1;
    pairs[index] = place;
  }
}

/** Places that are looked at for the longest piece, and how far: common words would else cost the square of the length. */
const LOOKED_AT = 64;

function longest(places: readonly number[], length: (place: number) => number): number {
  let best = Number.NaN;
  let most = 0;
  for (const place of places.slice(0, LOOKED_AT)) {
    const run = length(place);
    if (run > most) [best, most] = [place, run];
  }
  return best;
}

function runLength(
  candidate: readonly string[],
  from: number,
  reference: readonly string[],
  place: number,
  taken: Uint8Array,
): number {
  let run = 0;
  while (
    run < LOOKED_AT &&
    from + run < candidate.length &&
    candidate[from + run] === reference[place + run] &&
    taken[place + run] === 0
  )
    run += 1;
  return run;
}
