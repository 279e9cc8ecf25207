import type { Random } from '../ports/random.ts';

/** Bytes drawn at once: ids need a few, and each draw costs a call of the system. */
const POOL_BYTES = 4_096;

let pool = new Uint8Array(0);

/** The platform's randomness; bytes come from its secure source, each is given out once. */
export const systemRandom: Random = {
  unit: () => Math.random(),
  bytes(length) {
    if (length > POOL_BYTES / 8) return crypto.getRandomValues(new Uint8Array(length));
    if (pool.length < length) pool = crypto.getRandomValues(new Uint8Array(POOL_BYTES));
    const taken = pool.slice(0, length);
    pool.fill(0, 0, length);
    pool = pool.subarray(length);
    return taken;
  },
};
