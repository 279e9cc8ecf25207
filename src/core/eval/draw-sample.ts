import { SeededRandom } from './seeded-random.ts';

/** How many items to take: a number of them, or a share of all but at least `least`. */
export type SampleSize = { count: number } | { share: number; least: number };

/**
 * Which places of `total` are in the sample, in order: exactly as many as asked for, every set of them as likely as any
 * other (selection sampling, Knuth's algorithm S), and the same for the same seed.
 */
export function drawSample(total: number, size: SampleSize, seed: number): number[] {
  const wanted = Math.min(total, 'count' in size ? size.count : Math.max(size.least, Math.ceil(total * size.share)));
  const random = new SeededRandom(seed);
  const places: number[] = [];
  for (let place = 0; place < total && places.length < wanted; place += 1) {
    if (random.below(total - place) < wanted - places.length) places.push(place);
  }
  return places;
}
