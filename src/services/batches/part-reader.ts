import { isRecordWhole, type PartIndex, type PartIndexEntry } from '../../core/part.ts';
import type { FileStore } from '../../ports/files.ts';
import type { PartRow, StoreSegments } from '../../ports/store-segments.ts';
import { readIndex, readLeft } from '../results/read-index.ts';

/** Parts up to this size are read whole, once; the cache holds this many bytes of them. */
const WHOLE_PART_BYTES_MAX = 8 * 1024 ** 2;
const CACHE_BYTES_MAX = 16 * 1024 ** 2;

/** A file is opened for each; the disk answers several of them at once. */
const INDICES_AT_ONCE = 8;
/** While the lines of one part are gone through, parts of so many bytes are read that come next, and no more than so many. */
const AHEAD_BYTES_MAX = 4 * 1024 ** 2;
const AHEAD_PARTS_MAX = 3;

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

  /** The parts, by the first line that each has. */
  inOrder(): PartRow[] {
    return this.parts.map(({ part }) => part).sort((a, b) => a.firstLine - b.firstLine);
  }

  get(line: number): LocatedRecord | undefined {
    const at = line - this.first;
    const held = this.parts[(this.partOf[at] ?? 0) - 1];
    return held && { part: held.part, entry: held.index.entry(this.placeIn[at] ?? 0) };
  }
}

/** A part that is not larger has no memory of its reader's: mostly it is in memory already, and soon forgotten. */
const SMALL_PART_BYTES = 64 * 1024;
/** A part that takes the place of another has its memory, if it is of much the same size. */
const SPARE_BYTES = 256 * 1024;
const SPARES_MAX = 1 + AHEAD_PARTS_MAX;

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
  /**
   * Told to go forward only, it reads what comes next ahead, drops a part as soon as another one begins behind it, and reads
   * into its memory.
   */
  readonly forward: boolean;
  private readonly cache = new Map<string, HeldPart>();
  private cached = 0;
  /** Memory that this reader made: what a store answers with may be the store's own. */
  private readonly own = new WeakSet<ArrayBufferLike>();
  private readonly spares: Uint8Array[] = [];
  /** Parts that are still to be read, next first; and those of them whose reading has begun. */
  private coming: PartRow[] = [];
  private readonly ahead = new Map<string, { bytes: Promise<Uint8Array>; part: PartRow }>();
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

  /** Goes on to these lines: those that are asked for from now on, in their order where the reader goes forward. */
  goTo(located: LocatedRecords): void {
    if (!this.forward) return;
    const isToRead = ({ key, indexOffset }: PartRow) => indexOffset <= WHOLE_PART_BYTES_MAX && !this.cache.has(key);
    const wanted = located.inOrder().filter(isToRead);
    const keys = new Set(wanted.map(({ key }) => key));
    for (const key of this.ahead.keys()) if (!keys.has(key)) this.ahead.delete(key);
    this.coming = wanted.filter(({ key }) => !this.ahead.has(key));
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
    const bytes = await (this.ahead.get(part.key)?.bytes ?? this.read(part));
    this.ahead.delete(part.key);
    this.coming = this.coming.filter(({ key }) => key !== part.key);
    this.cache.set(part.key, { bytes, lastLine: part.lastLine });
    this.cached += bytes.byteLength;
    for (const key of this.cache.keys()) {
      if (this.cached <= CACHE_BYTES_MAX || key === part.key) break;
      this.drop(key);
    }
    this.readAhead();
    return bytes;
  }

  private read({ key, indexOffset }: PartRow): Promise<Uint8Array> {
    return readLeft(
      this.files,
      key,
      { offset: 0, length: indexOffset },
      this.forward && indexOffset > SMALL_PART_BYTES ? this.memory(indexOffset) : undefined,
    );
  }

  /** Begins to read the parts that come next: who goes forward waits for the disk no longer than it takes. */
  private readAhead(): void {
    let bytes = 0;
    for (const { part } of this.ahead.values()) bytes += part.indexOffset;
    for (let [next] = this.coming; next && this.ahead.size < AHEAD_PARTS_MAX; [next] = this.coming) {
      if (bytes > 0 && bytes + next.indexOffset > AHEAD_BYTES_MAX) return;
      this.coming.shift();
      bytes += next.indexOffset;
      const reading = this.read(next);
      // Who asks for the part is told; nobody may.
      reading.catch(() => undefined);
      this.ahead.set(next.key, { bytes: reading, part: next });
    }
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
