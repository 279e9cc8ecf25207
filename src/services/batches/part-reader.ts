import { PartIndex, type PartIndexEntry } from '../../core/part.ts';
import type { FileStore } from '../../ports/files.ts';
import type { PartRow, StoreSegments } from '../../ports/store-segments.ts';

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

/** Reads records of parts in bounded memory, keeping the parts used last. */
export class PartReader {
  private readonly files: FileStore;
  /** Told to go forward only, it drops a part as soon as the next one begins behind it, and reads that into its memory. */
  private readonly forward: boolean;
  private readonly cache = new Map<string, HeldPart>();
  private cached = 0;
  /** Memory that this reader made: what a store answers with may be the store's own. */
  private readonly own = new WeakSet<ArrayBufferLike>();
  private readonly spares: Uint8Array[] = [];

  /** With `forward`, lines are asked for in input order, and the bytes of one hold until the next is asked for. */
  constructor(files: FileStore, { forward = false } = {}) {
    this.files = files;
    this.forward = forward;
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
      const indices = await Promise.all(some.map((part) => this.index(part)));
      for (const [place, index] of indices.entries()) located.add(some[place] as PartRow, index);
    }
    return located;
  }

  private async index(part: PartRow): Promise<PartIndex> {
    const bytes = await this.files.readRange(part.key, {
      offset: part.indexOffset,
      length: part.bytes - part.indexOffset,
    });
    return new PartIndex(bytes);
  }

  /** The part that holds a record, when it is in memory: the record is there at `entry.offset`. */
  held({ part }: LocatedRecord): Uint8Array | null {
    return this.cache.get(part.key)?.bytes ?? null;
  }

  /** Bytes `from` to `to` of a record. */
  async slice({ part, entry }: LocatedRecord, from: number, to: number): Promise<Uint8Array> {
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
    const bytes = await this.files.readRange(part.key, range, this.forward ? this.memory(range.length) : undefined);
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
