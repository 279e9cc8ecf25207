import type { Random } from '../ports/random.ts';

/** Bytes drawn at once: ids need a few, and each draw costs a call of the system. */
const POOL_BYTES = 4_096;

const pool = new Uint8Array(POOL_BYTES);
/** Where the bytes begin that were not given out. */
let place = POOL_BYTES;

/** The platform's randomness; bytes come from its secure source, each is given out once. */
export const systemRandom: Random = {
  unit: () => Math.random(),
  bytes(length) {
    if (length > POOL_BYTES / 8) return crypto.getRandomValues(new Uint8Array(length));
    if (place + length > POOL_BYTES) {
      crypto.getRandomValues(pool);
      place = 0;
    }
    const taken = pool.slice(place, place + length);
    pool.fill(0, place, place + length);
    place += length;
    return taken;
  },
};
