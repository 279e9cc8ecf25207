import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodePartIndex,
  isRecordWhole,
  PartIndex,
  type PartIndexEntry,
  RECORD_SUCCEEDED,
  recordCheck,
} from '../../src/core/part.ts';
import { resultRecord } from '../../src/core/result-text.ts';
import { salvageRecords } from '../../src/core/salvage-part.ts';

const BATCH = 'batch_x';

/** The records of a part and their entries; every third line failed. */
function part(texts: readonly string[]): { bytes: Buffer; entries: PartIndexEntry[] } {
  const entries: PartIndexEntry[] = [];
  const records: Uint8Array[] = [];
  let offset = 0;
  for (const [line, text] of texts.entries()) {
    const error = line % 3 === 2 ? { code: text, message: text } : null;
    const { record, strictBytes } = resultRecord(
      {
        line,
        customId: text,
        batchId: BATCH,
        response: { statusCode: error ? 500 : 200, requestId: null },
        error,
        details: {
          line: line + 1,
          provider: 'p',
          model: 'm',
          target: 'p/m',
          attempts: line + 1,
          cost_nano_usd: line * 7,
          warnings: [text],
          finish_reason: null,
          input_tokens: 1,
          output_tokens: 2,
        },
      },
      Buffer.from(JSON.stringify({ weir: text, text: ',"weir":{"line":1' })),
    );
    records.push(record);
    const length = record.length - 1;
    entries.push({
      line,
      offset,
      length,
      strictLength: strictBytes,
      flags: error ? 0 : RECORD_SUCCEEDED,
      check: recordCheck(record.subarray(0, length)),
      attempts: line + 1,
    });
    offset += record.length;
  }
  return { bytes: Buffer.concat(records), entries };
}

const texts = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 8 });

describe('a part that is damaged', () => {
  it('gives every record that is left of it, as its index had it, wherever it is cut or blank', () => {
    fc.assert(
      fc.property(texts, fc.nat(), fc.nat(), fc.boolean(), (lines, at, length, isCut) => {
        const { bytes, entries } = part(lines.map((text) => text.toWellFormed()));
        const from = at % bytes.length;
        const to = isCut ? bytes.length : Math.min(bytes.length, from + 1 + (length % 600));
        const damaged = Buffer.from(isCut ? bytes.subarray(0, from) : bytes.fill(0, from, to));
        const left = entries.filter(({ offset, length: of }) => offset + of < from || offset >= to);
        // A record is found by its line feed; one before a blank stretch that swallowed it is lost with what follows.
        const isAfterBlank = ({ offset }: PartIndexEntry): boolean => offset > 0 && damaged[offset - 1] !== 0x0a;
        expect(salvageRecords(BATCH, damaged)).toEqual(left.filter((entry) => !isAfterBlank(entry)));
      }),
    );
  });

  it('tells by its checks that a record, or its index, is not what was written', () => {
    fc.assert(
      fc.property(texts, fc.nat(), fc.integer({ min: 1, max: 255 }), (lines, at, change) => {
        const { bytes, entries } = part(lines);
        const record = entries.at(-1) as PartIndexEntry;
        const index = encodePartIndex(entries);
        expect(new PartIndex(index).isWhole(entries.length, bytes.length)).toBe(true);
        expect(isRecordWhole(record, bytes.subarray(record.offset, record.offset + record.length))).toBe(true);
        const place = record.offset + (at % record.length);
        bytes[place] = (bytes[place] ?? 0) ^ change;
        expect(isRecordWhole(record, bytes.subarray(record.offset, record.offset + record.length))).toBe(false);
        expect(isRecordWhole(record, bytes.subarray(record.offset, record.offset + record.length - 1))).toBe(false);
        index[at % index.length] = (index[at % index.length] ?? 0) ^ change;
        expect(new PartIndex(index).isWhole(entries.length, bytes.length)).toBe(false);
        expect(new PartIndex(index.subarray(0, 24)).isWhole(2, bytes.length)).toBe(false);
      }),
    );
  });

  it('of before, without checks, is whole when its entries can be true', () => {
    const { bytes, entries } = part(['a', 'b', 'c']);
    const old = encodePartIndex(entries.map((entry) => ({ ...entry, check: 0 }))).subarray(0, 3 * 24);
    expect(new PartIndex(old).isWhole(3, bytes.length)).toBe(true);
    expect(new PartIndex(old).entry(0)).toMatchObject({ line: 0, check: 0, flags: RECORD_SUCCEEDED });
    expect(new PartIndex(new Uint8Array(3 * 24)).isWhole(3, bytes.length)).toBe(false);
    expect(new PartIndex(old).isWhole(3, bytes.length - 1)).toBe(false);
  });
});
