import { wordsOf } from './repeats.ts';

/** For each hash: of ten that are all different, one shares its cell then. */
const CELLS_PER_HASH = 8;
const CELL_BITS_MIN = 8;
/** 4 MB, also for files of millions of lines: of five million hashes a quarter are not alone in their cells then. */
const CELL_BITS_MAX = 24;

/**
 * Tells the few hashes that may stand twice from all those that surely do not, in little memory: only they need be
 * compared. Every hash has a cell that counts to two.
 */
export class RepeatFilter {
  /** Hashes that are not alone in their cells. */
  suspects = 0;
  /** Four cells a byte. */
  private readonly cells: Uint8Array<ArrayBuffer>;
  private readonly shift: number;

  /** `hashes`: about how many there will be. */
  constructor(hashes: number) {
    const wanted = Math.ceil(Math.log2(Math.max(1, hashes) * CELLS_PER_HASH));
    const bits = Math.min(CELL_BITS_MAX, Math.max(CELL_BITS_MIN, wanted));
    this.cells = new Uint8Array(2 ** bits / 4);
    this.shift = 32 - bits;
  }

  /** Takes records of ids: see repeats.ts. */
  add(records: Uint8Array): void {
    const words = wordsOf(records);
    const { cells, shift } = this;
    let suspects = 0;
    for (let index = 0; index < words.length; index += 2) {
      const low = words[index + 1] as number;
      if ((low | (words[index] as number)) === 0) continue;
      const cell = low >>> shift;
      const byte = cells[cell >> 2] as number;
      const place = (cell & 3) << 1;
      const count = (byte >> place) & 3;
      if (count > 0) suspects += count === 1 ? 2 : 1;
      if (count < 2) cells[cell >> 2] = byte + (1 << place);
    }
    this.suspects += suspects;
  }

  /** Whether a hash with this low half may stand twice. */
  mayRepeat(low: number): boolean {
    const cell = low >>> this.shift;
    return (((this.cells[cell >> 2] as number) >> ((cell & 3) << 1)) & 2) !== 0;
  }
  /** Gives its memory back at once; to be called last. */
  release(): void {
    this.cells.buffer.transfer(0);
  }
}
