/** Bytes of one line in a list of hashes: two words, both 0 where the line has no id. */
export const ID_RECORD_BYTES = 8;

const loadMax = 0.75;
const firstCapacity = 1_024;
/** The hashes of one pass are not quite as many as those of another. */
const roomFactor = 1.05;

/** Leaves out what surely stands once. */
interface Filter {
  /** How many it does not leave out. */
  readonly suspects: number;
  /** By the low half of a hash. */
  mayRepeat(low: number): boolean;
}

/**
 * Finds the lines whose hash an earlier line has. A pass looks at a part of all hashes, so that memory is that of one
 * pass; in every pass all lines are given in their order.
 */
export class RepeatFinder {
  /** Open addressing, triples of [high, low, line + 1]; 0 as the third marks a free slot. */
  private table = new Uint32Array(firstCapacity * 3);
  private held = 0;
  private line = 0;
  private from = 0;
  private to = 0;
  private readonly filter: Filter;
  private readonly onRepeat: (line: number, firstLine: number) => void;

  constructor(filter: Filter, onRepeat: (line: number, firstLine: number) => void) {
    this.filter = filter;
    this.onRepeat = onRepeat;
  }

  /** Begins pass `index` (from 0) of `passes`. */
  begin(index: number, passes: number): void {
    const expected = Math.ceil((this.filter.suspects / passes / loadMax) * roomFactor);
    const capacity = Math.max(firstCapacity, expected);
    if (this.table.length < capacity * 3) this.replace(new Uint32Array(capacity * 3));
    else this.table.fill(0);
    this.held = 0;
    this.line = 0;
    this.from = Math.ceil((index * 0x1_0000_0000) / passes);
    this.to = Math.ceil(((index + 1) * 0x1_0000_0000) / passes);
  }

  /** Takes the records of the next lines. */
  add(records: Uint8Array): void {
    const words = wordsOf(records);
    const { from, to, filter } = this;
    for (let index = 0; index < words.length; index += 2) {
      const high = words[index] as number;
      const low = words[index + 1] as number;
      if (high < from || high >= to || (high | low) === 0 || !filter.mayRepeat(low)) continue;
      this.look(high, low, this.line + (index >> 1));
    }
    this.line += words.length >> 1;
  }

  /** Gives its memory back at once; to be called last. */
  release(): void {
    this.table.buffer.transfer(0);
  }

  private look(high: number, low: number, line: number): void {
    if ((this.held + 1) * 3 > this.table.length * loadMax) this.grow();
    const { table } = this;
    const slot = findSlot(table, high, low);
    const owner = table[slot + 2] as number;
    if (owner !== 0) {
      this.onRepeat(line, owner - 1);
      return;
    }
    table[slot] = high;
    table[slot + 1] = low;
    table[slot + 2] = line + 1;
    this.held += 1;
  }

  private grow(): void {
    const old = this.table;
    const table = new Uint32Array(old.length * 2);
    for (let index = 0; index < old.length; index += 3) {
      if (old[index + 2] === 0) continue;
      table.set(old.subarray(index, index + 3), findSlot(table, old[index] as number, old[index + 1] as number));
    }
    this.replace(table);
  }

  private replace(table: Uint32Array<ArrayBuffer>): void {
    // Gives the memory back at once, not when the garbage collector comes by.
    this.table.buffer.transfer(0);
    this.table = table;
  }
}

/** Index of the triple that holds a hash, or of the free one where it belongs. */
function findSlot(table: Uint32Array, high: number, low: number): number {
  // The high halves of one pass lie close together: the low one chooses.
  let index = Math.floor((low / 0x1_0000_0000) * (table.length / 3)) * 3;
  while (table[index + 2] !== 0 && (table[index + 1] !== low || table[index] !== high)) {
    index += 3;
    if (index === table.length) index = 0;
  }
  return index;
}

/** The words of records. */
export function wordsOf(records: Uint8Array): Uint32Array {
  const aligned = records.byteOffset % Uint32Array.BYTES_PER_ELEMENT === 0 ? records : Uint8Array.from(records);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / Uint32Array.BYTES_PER_ELEMENT);
}
