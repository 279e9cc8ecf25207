import type { Random } from '../ports/random.ts';

/** The platform's randomness; bytes come from its secure source. */
export const systemRandom: Random = {
  unit: () => Math.random(),
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
