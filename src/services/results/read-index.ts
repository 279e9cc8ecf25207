import { encodePartIndex, isRecordWhole, PartIndex } from '../../core/part.ts';
import { salvageRecords } from '../../core/salvage-part.ts';
import { type ByteRange, FileMissing, type FileStore } from '../../ports/files.ts';
import type { PartRow } from '../../ports/store-segments.ts';
import { ForwardReader } from '../batches/forward-reader.ts';

/**
 * Which records a part has. `isWhole` is false where its object is gone, too short or damaged: then they are those that
 * can still be found in it. Throws FileUnreadable.
 */
export async function readIndex(
  files: Pick<FileStore, 'readRange'>,
  part: PartRow,
): Promise<{ index: PartIndex; isWhole: boolean }> {
  const { key, indexOffset } = part;
  const index = new PartIndex(await readLeft(files, key, { offset: indexOffset, length: part.bytes - indexOffset }));
  if (index.isWhole(part.count, indexOffset)) return { index, isWhole: true };
  const records = await readLeft(files, key, { offset: 0, length: indexOffset });
  return { index: new PartIndex(encodePartIndex(salvageRecords(part.batchId, records))), isWhole: false };
}

/** As `readRange`; what is gone is no bytes. Throws FileUnreadable: what cannot be read now may be there again later. */
export async function readLeft(
  files: Pick<FileStore, 'readRange'>,
  key: string,
  range: ByteRange,
  into?: Uint8Array,
): Promise<Uint8Array> {
  try {
    return await files.readRange(key, range, into);
  } catch (error) {
    if (error instanceof FileMissing) return new Uint8Array(0);
    throw error;
  }
}

/** Reads forward what is left of an object. */
export function readerOfLeft(files: Pick<FileStore, 'readRange'>, key: string): ForwardReader {
  return new ForwardReader({ readRange: (from, range) => readLeft(files, from, range) }, key);
}

/** The records of a part as they stand in it, each with its line feed: those that are what was written. */
export async function* wholeRecords(files: Pick<FileStore, 'readRange'>, part: PartRow): AsyncGenerator<Uint8Array> {
  const { index } = await readIndex(files, part);
  const entries = Array.from({ length: index.count }, (_, at) => index.entry(at)).sort((a, b) => a.offset - b.offset);
  const reader = readerOfLeft(files, part.key);
  for (const entry of entries) {
    const { offset, length } = entry;
    const record = await reader.read({ offset, length: length + 1 });
    if (isRecordWhole(entry, record.subarray(0, length))) yield record;
  }
}
