/**
 * Regions of memory by name: what one thread finds under a name, the others of its process find there, too. Names come
 * to be at their first use and stay. A name is known by 64 bits of its hash, as in core/id-hash.ts.
 */
import { IdHash } from '../id-hash.ts';
import { locked, ownRegion, REGION_BYTES, type Region, regionAt } from './region.ts';

/** Names that there is room for; what comes after them is each thread's own. */
const NAMES_MAX = 8_192;
/** Words of the index's entries, behind the region that holds its lock: both halves of the hash; 0 for none. */
const WORDS = 2;
const INDEX_BYTES = REGION_BYTES + NAMES_MAX * WORDS * 4;
const KEY = new Uint8Array(8);

export class Regions {
  private readonly memory: SharedArrayBuffer | null;
  private readonly hash: IdHash;

  /** `memory`: of `Regions.allocate`; without, every region is this thread's own. `key`: 8 random bytes, in all threads the same. */
  constructor(memory: SharedArrayBuffer | null = null, key: Uint8Array = KEY) {
    this.memory = memory;
    this.hash = new IdHash(key);
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(INDEX_BYTES + NAMES_MAX * REGION_BYTES);
  }

  /** The region of this name; the same names are to be asked for once, for each answer costs a few objects. */
  get(name: string): Region {
    const { memory } = this;
    if (memory === null) return ownRegion();
    this.hash.ofText(name);
    const { high, low } = this.hash;
    const index = new Int32Array(memory, REGION_BYTES, NAMES_MAX * WORDS);
    const place = locked(regionAt(memory), () => placeOf(index, high | 0, low | 0));
    return place === null ? ownRegion() : regionAt(memory, INDEX_BYTES + place * REGION_BYTES);
  }
}

function placeOf(index: Int32Array, high: number, low: number): number | null {
  const first = (high >>> 0) % NAMES_MAX;
  for (let step = 0; step < NAMES_MAX; step++) {
    const place = (first + step) % NAMES_MAX;
    const at = place * WORDS;
    if (index[at] === high && index[at + 1] === low) return place;
    if (index[at] === 0 && index[at + 1] === 0) {
      index[at] = high;
      index[at + 1] = low;
      return place;
    }
  }
  return null;
}
