const partitionBits = 8;
const partitions = 1 << partitionBits;
const firstCapacity = 8;
const loadMax = 0.85;
const growth = 1.3;

/**
 * Remembers which line first used an id, in about 12 bytes an id instead of the 110 of a Map of strings. It keeps
 * 40 bits of a keyed hash, so it may take a new id for a known one (some fifty times in ten million ids): its caller
 * looks at the line before believing it. With a random key nobody can choose ids that collide.
 */
export class IdSet {
  readonly #key0: number;
  readonly #key1: number;
  readonly #fingerprintMask: number;
  /** Open addressing, pairs of [fingerprint, line + 1]; 0 as the second marks a free slot. */
  readonly #tables: (Uint32Array<ArrayBuffer> | undefined)[] = Array.from({ length: partitions });
  readonly #sizes = new Uint32Array(partitions);

  /** `key`: 8 random bytes. `fingerprintBits`, at most 32, are kept beside those that choose the partition. */
  constructor(key: Uint8Array, fingerprintBits = 32) {
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    this.#key0 = view.getUint32(0, true) | 0;
    this.#key1 = view.getUint32(4, true) | 0;
    this.#fingerprintMask = fingerprintBits === 32 ? 0xffff_ffff : 2 ** fingerprintBits - 1;
  }

  /** Adds `id` for `line` (0-based, below 2^32 − 1) and answers -1; or the line that has an id of the same hash. */
  add(id: string, line: number): number {
    const [high, low] = halfSipHash(id, this.#key0, this.#key1);
    const partition = high & (partitions - 1);
    const fingerprint = (low & this.#fingerprintMask) >>> 0;
    const table = this.#roomIn(partition);
    const slot = findSlot(table, fingerprint);
    const owner = table[slot + 1] as number;
    if (owner !== 0) return owner - 1;
    table[slot] = fingerprint;
    table[slot + 1] = line + 1;
    this.#sizes[partition] = (this.#sizes[partition] as number) + 1;
    return -1;
  }

  #roomIn(partition: number): Uint32Array<ArrayBuffer> {
    const table = this.#tables[partition];
    if (table === undefined) return this.#replace(partition, new Uint32Array(firstCapacity * 2));
    const capacity = table.length / 2;
    if ((this.#sizes[partition] as number) + 1 <= capacity * loadMax) return table;
    const grown = new Uint32Array(Math.ceil(capacity * growth) * 2);
    for (let index = 0; index < table.length; index += 2) {
      const owner = table[index + 1] as number;
      if (owner === 0) continue;
      const fingerprint = table[index] as number;
      const slot = findSlot(grown, fingerprint);
      grown[slot] = fingerprint;
      grown[slot + 1] = owner;
    }
    // Gives the memory back at once: left to the garbage collector, the old tables would outweigh the new.
    table.buffer.transfer(0);
    return this.#replace(partition, grown);
  }

  #replace(partition: number, table: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
    this.#tables[partition] = table;
    return table;
  }
}

/** Index of the pair that holds `fingerprint`, or of the free pair where it belongs. */
function findSlot(table: Uint32Array, fingerprint: number): number {
  const capacity = table.length / 2;
  let index = Math.floor((fingerprint / 0x1_0000_0000) * capacity) * 2;
  while (table[index + 1] !== 0 && table[index] !== fingerprint) {
    index += 2;
    if (index === table.length) index = 0;
  }
  return index;
}

/** HalfSipHash-1-3 with 64 bits of output, over the UTF-16 units of `text`. Source: github.com/veorq/SipHash. */
function halfSipHash(text: string, key0: number, key1: number): [high: number, low: number] {
  let v0 = key0;
  let v1 = key1 ^ 0xee;
  let v2 = key0 ^ 0x6c796765;
  let v3 = key1 ^ 0x74656462;
  let low = 0;
  const words = text.length >> 1;
  // One round for each word of two units and for the last, three for each half of the output.
  for (let index = 0; index <= words + 6; index++) {
    let word = 0;
    if (index < words) word = text.charCodeAt(index * 2) | (text.charCodeAt(index * 2 + 1) << 16);
    else if (index === words) word = (text.length << 25) | (text.length & 1 ? text.charCodeAt(text.length - 1) : 0);
    else if (index === words + 1) v2 ^= 0xee;
    else if (index === words + 4) {
      low = v1 ^ v3;
      v1 ^= 0xdd;
    }
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return [v1 ^ v3, low];
}
