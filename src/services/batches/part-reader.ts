import { isRecordWhole, type PartIndex, type PartIndexEntry } from '../../core/part.ts';
import type { FileStore } from '../../ports/files.ts';
import type { PartRow, StoreSegments } from '../../ports/store-segments.ts';
import { readIndex, readLeft } from '../results/read-index.ts';

/** Parts up to this size are read whole, once; the cache holds this many bytes of them. */
const WHOLE_PART_BYTES_MAX = 8 * 1024 ** 2;
const CACHE_BYTES_MAX = 16 * 1024 ** 2;

/** A file is opened for each; the disk answers several of them at once. */
const INDICES_AT_ONCE = 8;

/** Lines looked at together: their places in the parts are held in memory, their texts are not. */
export const WINDOW_LINES = 16_384;

export interface LocatedRecord {
  part: PartRow;
  entry: PartIndexEntry;
}

/** Where the results of lines are; in numbers, as an object for each line would be old before it is looked at. */
export class LocatedRecords {
  private readonly first: number;
  private readonly parts: { part: PartRow; index: PartIndex }[] = [];
  /** By line: which of the parts has it, from 1 on, and where in that part's index. */
  private readonly partOf: Uint32Array;
  private readonly placeIn: Uint32Array;
  private readonly damaged: PartRow[] = [];

  constructor(first: number, last: number) {
    this.first = first;
    this.partOf = new Uint32Array(Math.max(0, last - first + 1));
    this.placeIn = new Uint32Array(this.partOf.length);
  }

  /** Of a line that stands in two parts the later one counts. */
  add(part: PartRow, index: PartIndex): void {
    const number = this.parts.push({ part, index });
    for (let place = 0; place < index.count; place++) {
      const at = index.line(place) - this.first;
      if (at < 0 || at >= this.partOf.length) continue;
      this.partOf[at] = number;
      this.placeIn[at] = place;
    }
  }

  /** Notes a part of which not all records were found. */
  addDamaged(part: PartRow): void {
    this.damaged.push(part);
  }

  /** Whether a part that may have had this line's record was damaged. */
  mayBeLost(line: number): boolean {
    return this.damaged.some(({ firstLine, lastLine }) => firstLine <= line && line <= lastLine);
  }

  get(line: number): LocatedRecord | undefined {
    const at = line - this.first;
    const held = this.parts[(this.partOf[at] ?? 0) - 1];
    return held && { part: held.part, entry: held.index.entry(this.placeIn[at] ?? 0) };
  }
}

/** A part that takes the place of another has its memory, if it is of much the same size. */
const SPARE_BYTES = 256 * 1024;
const SPARES_MAX = 2;

interface HeldPart {
  bytes: Uint8Array;
  lastLine: number;
}

/** What was written is not what the file store has, or cannot be read from it. */
class Unreadable extends Error {
  constructor(key: string) {
    super(`object ${key} is gone, damaged or cannot be read`);
    this.name = 'Unreadable';
  }
}

/** Reads records of parts in bounded memory, keeping the parts used last. */
export class PartReader {
  private readonly files: FileStore;
  /** Told to be strict, it throws where something is missing or damaged. */
  private readonly strict: boolean;
  /** Told to go forward only, it drops a part as soon as the next one begins behind it, and reads that into its memory. */
  private readonly forward: boolean;
  private readonly cache = new Map<string, HeldPart>();
  private cached = 0;
  /** Memory that this reader made: what a store answers with may be the store's own. */
  private readonly own = new WeakSet<ArrayBufferLike>();
  private readonly spares: Uint8Array[] = [];
  /** A record of a part that is too large to be held. */
  private single: { key: string; offset: number; bytes: Uint8Array } | null = null;

  /** With `forward`, lines are asked for in input order, and the bytes of one hold until the next is asked for. */
  constructor(files: FileStore, { forward = false, strict = false } = {}) {
    this.files = files;
    this.forward = forward;
    this.strict = strict;
  }

  /** Where the results of the 0-based lines from `first` to `last` are, by line. */
  async locate(
    store: Pick<StoreSegments, 'parts'>,
    batchId: string,
    first: number,
    last: number,
  ): Promise<LocatedRecords> {
    const located = new LocatedRecords(first, last);
    const parts = await store.parts(batchId, first, last);
    for (let at = 0; at < parts.length; at += INDICES_AT_ONCE) {
      const some = parts.slice(at, at + INDICES_AT_ONCE);
      const found = await Promise.all(some.map((part) => readIndex(this.files, part)));
      for (const [place, { index, isWhole }] of found.entries()) {
        const part = some[place] as PartRow;
        if (!isWhole) this.meetDamage(part.key);
        located.add(part, index);
        if (!isWhole) located.addDamaged(part);
      }
    }
    return located;
  }

  /** The record of a line, in memory and as it was written; null when there is none. */
  async find(store: Pick<StoreSegments, 'parts'>, batchId: string, line: number): Promise<LocatedRecord | null> {
    const record = (await this.locate(store, batchId, line, line)).get(line);
    if (record === undefined) return null;
    await this.hold(record);
    return this.isWhole(record) ? record : null;
  }

  /** The part that holds a record, when it is in memory: the record is there at `entry.offset`. */
  held({ part }: LocatedRecord): Uint8Array | null {
    return this.cache.get(part.key)?.bytes ?? null;
  }

  /** Whether a record is in memory, or what is left of it. */
  holds(record: LocatedRecord): boolean {
    return this.cache.has(record.part.key) || this.isSingle(record);
  }

  /** Brings a record into memory, as far as it can be read. */
  async hold({ part, entry }: LocatedRecord): Promise<void> {
    if (part.indexOffset <= WHOLE_PART_BYTES_MAX) await this.whole(part);
    else {
      const bytes = await readLeft(this.files, part.key, { offset: entry.offset, length: entry.length });
      this.single = { key: part.key, offset: entry.offset, bytes };
    }
  }

  /** Whether a record that is held is what was written. */
  isWhole(record: LocatedRecord): boolean {
    const { part, entry } = record;
    const whole = this.cache.get(part.key)?.bytes;
    const bytes = whole?.subarray(entry.offset, entry.offset + entry.length) ?? this.single?.bytes;
    const isWhole = bytes !== undefined && isRecordWhole(entry, bytes);
    if (!isWhole) this.meetDamage(part.key);
    return isWhole;
  }

  /** An object that is read with the records is not whole. Throws where the reader is strict. */
  meetDamage(key: string): void {
    if (this.strict) throw new Unreadable(key);
  }

  private isSingle({ part, entry }: LocatedRecord): boolean {
    return this.single?.key === part.key && this.single.offset === entry.offset;
  }

  /** Bytes `from` to `to` of a record. */
  async slice(record: LocatedRecord, from: number, to: number): Promise<Uint8Array> {
    const { part, entry } = record;
    if (this.single !== null && this.isSingle(record)) return this.single.bytes.subarray(from, to);
    if (part.indexOffset > WHOLE_PART_BYTES_MAX) {
      return this.files.readRange(part.key, { offset: entry.offset + from, length: to - from });
    }
    const whole = await this.whole(part);
    return whole.subarray(entry.offset + from, entry.offset + to);
  }

  private async whole(part: PartRow): Promise<Uint8Array> {
    const known = this.cache.get(part.key);
    if (known) {
      this.cache.delete(part.key);
      this.cache.set(part.key, known);
      return known.bytes;
    }
    for (const [key, { lastLine }] of this.forward ? this.cache : []) if (lastLine < part.firstLine) this.drop(key);
    const range = { offset: 0, length: part.indexOffset };
    const bytes = await readLeft(this.files, part.key, range, this.forward ? this.memory(range.length) : undefined);
    this.cache.set(part.key, { bytes, lastLine: part.lastLine });
    this.cached += bytes.byteLength;
    for (const key of this.cache.keys()) {
      if (this.cached <= CACHE_BYTES_MAX || key === part.key) break;
      this.drop(key);
    }
    return bytes;
  }

  private drop(key: string): void {
    const bytes = this.cache.get(key)?.bytes;
    if (bytes === undefined) return;
    this.cache.delete(key);
    this.cached -= bytes.byteLength;
    if (this.spares.length < SPARES_MAX && this.own.has(bytes.buffer)) this.spares.push(new Uint8Array(bytes.buffer));
  }

  /** Collected only some parts later, each part's memory would add up to several times the cache. */
  private memory(bytes: number): Uint8Array {
    const at = this.spares.findIndex(({ length }) => length >= bytes);
    const [spare] = at < 0 ? [] : this.spares.splice(at, 1);
    if (spare) return spare;
    this.spares.shift();
    const made = new Uint8Array(Math.ceil(bytes / SPARE_BYTES) * SPARE_BYTES);
    this.own.add(made.buffer);
    return made;
  }
}
