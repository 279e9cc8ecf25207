/**
 * A part: an immutable object of result lines, written once and found again by line number.
 *
 *   records   one JSON line each (result line with its `weir` member last), in the order they finished
 *   index     one entry of 24 bytes per record, sorted by line, little-endian:
 *             line u32 (0-based) · offset u32 · length u32 · strictLength u32 · flags u32 · attempts u32
 *
 * `length` excludes the line feed. `strictLength` is the record up to its `weir` member: those bytes and a closing
 * brace are OpenAI's line, so the final files are cut from parts without parsing them.
 */
export const PART_INDEX_BYTES = 24;

/** Flag of an index entry: the line succeeded. Without it the line belongs in the error file. */
export const RECORD_SUCCEEDED = 1;

export interface PartIndexEntry {
  line: number;
  offset: number;
  length: number;
  strictLength: number;
  flags: number;
  attempts: number;
}

/** Encodes entries, sorting them by line. */
export function encodePartIndex(entries: readonly PartIndexEntry[]): Uint8Array {
  const sorted = entries.toSorted((a, b) => a.line - b.line);
  const bytes = new Uint8Array(sorted.length * PART_INDEX_BYTES);
  const view = new DataView(bytes.buffer);
  sorted.forEach((entry, index) => {
    const at = index * PART_INDEX_BYTES;
    view.setUint32(at, entry.line, true);
    view.setUint32(at + 4, entry.offset, true);
    view.setUint32(at + 8, entry.length, true);
    view.setUint32(at + 12, entry.strictLength, true);
    view.setUint32(at + 16, entry.flags, true);
    view.setUint32(at + 20, entry.attempts, true);
  });
  return bytes;
}

/** An index as it was written: in line order, an entry is read when it is asked for. */
export class PartIndex {
  readonly count: number;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.count = Math.floor(bytes.byteLength / PART_INDEX_BYTES);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  line(index: number): number {
    return this.view.getUint32(index * PART_INDEX_BYTES, true);
  }

  entry(index: number): PartIndexEntry {
    const { view } = this;
    const at = index * PART_INDEX_BYTES;
    return {
      line: view.getUint32(at, true),
      offset: view.getUint32(at + 4, true),
      length: view.getUint32(at + 8, true),
      strictLength: view.getUint32(at + 12, true),
      flags: view.getUint32(at + 16, true),
      attempts: view.getUint32(at + 20, true),
    };
  }
}
