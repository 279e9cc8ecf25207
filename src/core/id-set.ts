import type { IdHash } from './id-hash.ts';

const partitionBits = 8;
const partitions = 1 << partitionBits;
const firstCapacity = 8;
const loadMax = 0.85;
const growth = 1.3;

/**
 * Remembers which line first used an id, in about 12 bytes an id instead of the 110 of a Map of strings. It keeps
 * 40 bits of a keyed hash, so it may take a new id for a known one (some fifty times in ten million ids): its caller
 * looks at the line before believing it.
 */
export class IdSet {
  /** Open addressing, pairs of [fingerprint, line + 1]; 0 as the second marks a free slot. */
  readonly #tables: (Uint32Array<ArrayBuffer> | undefined)[] = Array.from({ length: partitions });
  readonly #sizes = new Uint32Array(partitions);

  /** Adds the id of this hash for `line` (0-based, below 2^32 − 1) and answers -1; or the line that has it already. */
  add({ high, low }: Pick<IdHash, 'high' | 'low'>, line: number): number {
    const partition = high & (partitions - 1);
    const table = this.#roomIn(partition);
    const slot = findSlot(table, low);
    const owner = table[slot + 1] as number;
    if (owner !== 0) return owner - 1;
    table[slot] = low;
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
