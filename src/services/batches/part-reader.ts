import type { PartIndexEntry } from '../../core/part.ts';
import { decodePartIndex } from '../../core/part.ts';
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

/** Reads records of parts in bounded memory, keeping the parts used last. */
export class PartReader {
  private readonly files: FileStore;
  private readonly cache = new Map<string, Uint8Array>();
  private cached = 0;

  constructor(files: FileStore) {
    this.files = files;
  }

  /** Where the results of the 0-based lines from `first` to `last` are, by line. */
  async locate(
    store: Pick<StoreSegments, 'parts'>,
    batchId: string,
    first: number,
    last: number,
  ): Promise<Map<number, LocatedRecord>> {
    const located = new Map<number, LocatedRecord>();
    const parts = await store.parts(batchId, first, last);
    for (let at = 0; at < parts.length; at += INDICES_AT_ONCE) {
      const some = parts.slice(at, at + INDICES_AT_ONCE);
      const indices = await Promise.all(some.map((part) => this.index(part)));
      for (const [place, part] of some.entries()) {
        for (const entry of indices[place] ?? []) {
          if (entry.line >= first && entry.line <= last) located.set(entry.line, { part, entry });
        }
      }
    }
    return located;
  }

  /** The index of a part, in line order. */
  private async index(part: PartRow): Promise<PartIndexEntry[]> {
    const bytes = await this.files.readRange(part.key, {
      offset: part.indexOffset,
      length: part.bytes - part.indexOffset,
    });
    return decodePartIndex(bytes);
  }

  /** The part that holds a record, when it is in memory: the record is there at `entry.offset`. */
  held({ part }: LocatedRecord): Uint8Array | null {
    return this.cache.get(part.key) ?? null;
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
      return known;
    }
    const bytes = await this.files.readRange(part.key, { offset: 0, length: part.indexOffset });
    this.cache.set(part.key, bytes);
    this.cached += bytes.byteLength;
    for (const [key, old] of this.cache) {
      if (this.cached <= CACHE_BYTES_MAX || key === part.key) break;
      this.cache.delete(key);
      this.cached -= old.byteLength;
    }
    return bytes;
  }
}
