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
    // Of a few bytes, by themselves: to ask for it takes longer than to do it.
    const taken = new Uint8Array(length);
    for (let index = 0; index < length; index++, place++) {
      taken[index] = pool[place] as number;
      pool[place] = 0;
    }
    return taken;
  },
};
