/**
 * METEOR of Banerjee and Lavie (2005) by exact words, without stems and synonyms: the harmonic mean of precision and recall
 * with nine times the weight on recall, less up to half of it the more the common words are in pieces.
 */
export function meteor(candidate: readonly string[], reference: readonly string[]): number {
  const { matches, chunks } = align(candidate, reference);
  if (matches === 0) return 0;
  const precision = matches / candidate.length;
  const recall = matches / reference.length;
  const mean = (10 * precision * recall) / (recall + 9 * precision);
  return mean * (1 - 0.5 * (chunks / matches) ** 3);
}

/** Pairs words from left to right: where a piece cannot go on, with the place that begins the longest new one. */
function align(candidate: readonly string[], reference: readonly string[]): { matches: number; chunks: number } {
  const places = new Map<string, number[]>();
  for (const [index, token] of reference.entries()) {
    const known = places.get(token);
    if (known) known.push(index);
    else places.set(token, [index]);
  }
  const taken = new Uint8Array(reference.length);
  let matches = 0;
  let chunks = 0;
  let last = Number.NaN;
  for (const [index, token] of candidate.entries()) {
    let place = last + 1;
    if (reference[place] !== token || taken[place] === 1) {
      const free = (places.get(token) ?? []).filter((each) => taken[each] === 0);
      place = longest(free, (each) => runLength(candidate, index, reference, each, taken));
      if (Number.isNaN(place)) {
        last = Number.NaN;
        continue;
      }
      chunks += 1;
    }
    taken[place] = 1;
    matches += 1;
    last = place;
  }
  return { matches, chunks };
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
