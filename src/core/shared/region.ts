/**
 * A few words of memory that the threads of one process may have in common, all zero at first. Where there is one thread
 * only the memory is its own, and everything else is the same.
 */
export interface Region {
  readonly ints: Int32Array;
  readonly floats: Float64Array;
  readonly bigs: BigInt64Array;
}

export const REGION_BYTES = 512;
/** Its first word is the lock; whoever lays a region out leaves this one alone. */
const LOCK = 0;

export function regionAt(memory: ArrayBufferLike, offset = 0, bytes = REGION_BYTES): Region {
  return {
    ints: new Int32Array(memory, offset, bytes / 4),
    floats: new Float64Array(memory, offset, bytes / 8),
    bigs: new BigInt64Array(memory, offset, bytes / 8),
  };
}

/** A region that nobody else has. */
export function ownRegion(bytes = REGION_BYTES): Region {
  return regionAt(new ArrayBuffer(bytes), 0, bytes);
}

/** Does what no other thread may do with the region meanwhile. `work` takes nanoseconds and does not throw: others spin. */
export function locked<T>({ ints }: Region, work: () => T): T {
  while (Atomics.compareExchange(ints, LOCK, 0, 1) !== 0);
  try {
    return work();
  } finally {
    Atomics.store(ints, LOCK, 0);
  }
}
