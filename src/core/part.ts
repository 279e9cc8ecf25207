/**
 * A part: an immutable object of result lines, written once and found again by line number.
 *
 *   records   one JSON line each (result line with its `weir` member last), in the order they finished
 *   index     one entry of 24 bytes per record, sorted by line, little-endian:
 *             line u32 (0-based) · offset u32 · length u32 · strictLength u32 · flags u8 · check u24 · attempts u32
 *   end       checksum of the index, u32
 *
 * `length` excludes the line feed. `strictLength` is the record up to its `weir` member: those bytes and a closing
 * brace are OpenAI's line, so the final files are cut from parts without parsing them. Disks lose and change bytes:
 * `check` tells of a record whether it is what was written. Parts of before have neither it (0) nor the end.
 */
import { crc32 } from 'node:zlib';

export const PART_INDEX_BYTES = 24;
const END_BYTES = 4;
const CHECK_BITS = 24;

/** Flag of an index entry: the line succeeded. Without it the line belongs in the error file. */
export const RECORD_SUCCEEDED = 1;

export interface PartIndexEntry {
  line: number;
  offset: number;
  length: number;
  strictLength: number;
  flags: number;
  /** recordCheck of the record; 0 when it is not known. */
  check: number;
  attempts: number;
}

/** What an entry says of a record's bytes, which are without their line feed: 24 bits, never 0. */
export function recordCheck(record: Uint8Array): number {
  return crc32(record) >>> (32 - CHECK_BITS) || 1;
}

/** Whether the bytes of a record are those that were written, as far as its entry can tell. */
export function isRecordWhole(entry: PartIndexEntry, record: Uint8Array): boolean {
  return record.byteLength === entry.length && (entry.check === 0 || entry.check === recordCheck(record));
}

/** Encodes entries, sorting them by line, with the checksum behind them. */
export function encodePartIndex(entries: readonly PartIndexEntry[]): Uint8Array {
  const sorted = entries.toSorted((a, b) => a.line - b.line);
  const end = sorted.length * PART_INDEX_BYTES;
  const bytes = new Uint8Array(end + END_BYTES);
  const view = new DataView(bytes.buffer);
  sorted.forEach((entry, index) => {
    const at = index * PART_INDEX_BYTES;
    view.setUint32(at, entry.line, true);
    view.setUint32(at + 4, entry.offset, true);
    view.setUint32(at + 8, entry.length, true);
    view.setUint32(at + 12, entry.strictLength, true);
    view.setUint32(at + 16, entry.flags + entry.check * FLAGS, true);
    view.setUint32(at + 20, entry.attempts, true);
  });
  view.setUint32(end, crc32(bytes.subarray(0, end)), true);
  return bytes;
}

const FLAGS = 2 ** (32 - CHECK_BITS);

/** An index as it was written: in line order, an entry is read when it is asked for. */
export class PartIndex {
  readonly count: number;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.count = Math.floor(bytes.byteLength / PART_INDEX_BYTES);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether it is what was written for `count` records in the first `end` bytes of a part. */
  isWhole(count: number, end: number): boolean {
    const { view } = this;
    const bytes = count * PART_INDEX_BYTES;
    if (view.byteLength === bytes + END_BYTES) {
      return view.getUint32(bytes, true) === crc32(new Uint8Array(view.buffer, view.byteOffset, bytes));
    }
    if (view.byteLength !== bytes) return false;
    for (let index = 0; index < count; index++) {
      const { line, offset, length, strictLength } = this.entry(index);
      if (strictLength > length || strictLength === 0 || offset + length >= end) return false;
      if (index > 0 && line <= this.line(index - 1)) return false;
    }
    return true;
  }

  line(index: number): number {
    return this.view.getUint32(index * PART_INDEX_BYTES, true);
  }

  entry(index: number): PartIndexEntry {
    const { view } = this;
    const at = index * PART_INDEX_BYTES;
    const flags = view.getUint32(at + 16, true);
    return {
      line: view.getUint32(at, true),
      offset: view.getUint32(at + 4, true),
      length: view.getUint32(at + 8, true),
      strictLength: view.getUint32(at + 12, true),
      flags: flags % FLAGS,
      check: Math.floor(flags / FLAGS),
      attempts: view.getUint32(at + 20, true),
    };
  }
}
