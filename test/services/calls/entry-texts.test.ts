import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LedgerEntryRow } from '../../../src/ports/store-ledger.ts';
import { EntryTexts } from '../../../src/services/calls/entry-texts.ts';
import { entryRow } from '../../contract/store/subject.ts';

const text = fc.oneof(fc.constantFrom('a', 'b'), fc.string({ unit: 'binary' }));
const count = fc.oneof(fc.nat(), fc.constantFrom(0, Number.MAX_SAFE_INTEGER, 1e21, 0.5, Number.NaN, -1));
const orNull = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: null });
const rates = [{ version: 'a', input: 1 }, { version: 'b' }].map((rate) => ({
  ...rate,
  mode: 'standard',
  tier: 'base',
}));

/** Members that differ from entry to entry, among few values of those that are mostly alike. */
const member = fc.oneof(
  fc.record({ id: text, customId: orNull(text), latencyMs: orNull(count), amountNano: orNull(count) }),
  fc.record({ usage: orNull(fc.dictionary(text, count)), rawUsage: orNull(fc.object()), inputTokens: count }),
  fc.record({ cachedInputTokens: count, outputTokens: count, listAmountNano: orNull(count) }),
  fc.record({ createdAt: fc.nat(2), tenantId: text, keyId: orNull(text), attempt: fc.nat(3), model: text }),
  fc.record({ tags: orNull(fc.dictionary(text, text)), rates: orNull(fc.constantFrom(...rates)), target: text }),
  fc.record({ status: fc.constantFrom('succeeded', 'failed'), final: fc.boolean(), errorCode: orNull(text) }),
  fc.constantFrom({ route: undefined }, { route: 'r' }, { route: null }, { shardId: 's' }, { shardId: undefined }),
) as unknown as fc.Arbitrary<Partial<LedgerEntryRow>>;

it('texts of entries, one after the other, are read as JSON of them would be', () => {
  fc.assert(
    fc.property(fc.array(member, { maxLength: 12 }), (changes) => {
      let entry: LedgerEntryRow = entryRow({ batchId: null, line: null, mode: 'sync' });
      const entries = changes.map((change) => {
        entry = { ...entry, ...change };
        return entry;
      });
      const texts = new EntryTexts();
      for (const list of [entries, entries.slice(0, 1), [], entries]) {
        expect(JSON.parse(texts.listOf(list))).toEqual(JSON.parse(JSON.stringify(list)));
      }
    }),
    { numRuns: 300 },
  );
});

it('an entry that differs from the one before in any one member says so', () => {
  const first = entryRow({ id: 'entry_a', batchId: null, line: null, mode: 'sync', route: 'r', shardId: 's' });
  const others: Record<keyof LedgerEntryRow, unknown> = {
    ...{
      id: 'entry_b',
      createdAt: first.createdAt + 1,
      tenantId: 'other',
      keyId: 'other',
      batchId: 'b',
      customId: 'c',
    },
    ...{ line: 7, attempt: 7, mode: 'batch', provider: 'other', target: 'other', model: 'other', servedModel: 'other' },
    ...{ status: 'unknown', final: !first.final, statusCode: 500, errorCode: 'other', usage: null, rawUsage: { a: 1 } },
    ...{ inputTokens: 77, cachedInputTokens: 77, outputTokens: 77, rates: null, priceVersion: 'other', amountNano: 77 },
    ...{ listAmountNano: 77, estimated: !first.estimated, unpricedReason: 'other', tags: { team: 'b' }, latencyMs: 77 },
    ...{ route: 'other', shardId: 'other', ranAt: 77 },
  };
  for (const name of Object.keys(others) as (keyof LedgerEntryRow)[]) {
    const second = { ...first, [name]: others[name] };
    expect(second, name).not.toEqual(first);
    expect(JSON.parse(new EntryTexts().listOf([first, second]))).toEqual([first, second]);
  }
});
