import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LedgerSums } from '../../../src/core/ledger-sums.ts';
import type { Store } from '../../../src/ports/store.ts';
import type { LedgerEntryRow, LedgerFilter, LedgerSummaryRow } from '../../../src/ports/store-ledger.ts';
import type { LedgerGroup } from '../../../src/protocol/ledger.ts';
import { batchUsage, claim, emptyCommit, entryRow, NOW, type Subject, segmentRow, startBatch } from './subject.ts';

const HOUR = NOW - (NOW % 3_600);
const DAY = NOW - (NOW % 86_400);
const tenant = { tenantId: 'tenant-a' };
const zero: LedgerSums = {
  entries: 0,
  requests: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  amountNano: 0n,
  listAmountNano: 0n,
  unpricedEntries: 0,
  savingsNano: 0n,
  gpuMicroseconds: 0,
};

/** What the rollups must say of these entries, worked out one by one. */
function sum(entries: readonly LedgerEntryRow[]): LedgerSums {
  return entries.reduce(
    (sums, entry) => ({
      entries: sums.entries + 1,
      requests: sums.requests + Number(entry.final),
      inputTokens: sums.inputTokens + entry.inputTokens,
      cachedInputTokens: sums.cachedInputTokens + entry.cachedInputTokens,
      outputTokens: sums.outputTokens + entry.outputTokens,
      amountNano: sums.amountNano + BigInt(entry.amountNano ?? 0),
      listAmountNano: sums.listAmountNano + BigInt(entry.listAmountNano ?? 0),
      unpricedEntries: sums.unpricedEntries + Number(entry.amountNano === null),
      savingsNano:
        sums.savingsNano +
        (entry.amountNano === null || entry.listAmountNano === null
          ? 0n
          : BigInt(entry.listAmountNano) - BigInt(entry.amountNano)),
      gpuMicroseconds: sums.gpuMicroseconds + (entry.usage?.gpu_microseconds ?? 0),
    }),
    zero,
  );
}

const entryChange = fc.record({
  line: fc.integer({ min: 1, max: 6 }),
  createdAt: fc.integer({ min: HOUR - 200_000, max: HOUR + 200_000 }),
  provider: fc.constantFrom('pool', 'openai'),
  keyId: fc.constantFrom('key_1', null),
  status: fc.constantFrom('succeeded', 'failed', 'unknown', 'superseded'),
  final: fc.boolean(),
  inputTokens: fc.nat(1_000),
  usage: fc.option(fc.record({ gpu_microseconds: fc.nat(10_000_000) })),
  amountNano: fc.option(fc.maxSafeNat()),
  listAmountNano: fc.option(fc.maxSafeNat()),
  tags: fc.constantFrom(null, { team: 'ads' }, { team: 'search', run: '1' }, { run: '2', team: 'search' }),
});
const step = fc.record({ commit: fc.boolean(), entries: fc.array(entryChange, { maxLength: 8 }) });

async function readAll(store: Store, filter: LedgerFilter): Promise<LedgerEntryRow[]> {
  return (await store.ledger.entries(filter, { limit: 1_000 })) ?? [];
}

export function ledgerSumsContract(subject: Subject): void {
  describe('ledger sums', () => {
    const summary = (filter: LedgerFilter, groups: LedgerGroup[] = [], tagKey: string | null = null) =>
      subject.store.ledger.summary(filter, groups, tagKey);
    const counts = (rows: readonly LedgerSummaryRow[]) => rows.map((row) => [...Object.values(row.group), row.entries]);

    it('are one row without groups, of zeros when nothing matches, and no row with groups', async () => {
      for (const filter of [tenant, { ...tenant, from: NOW + 1 }, { ...tenant, batchId: 'batch_1' }]) {
        expect(await summary(filter)).toEqual([{ group: {}, ...zero }]);
        expect(await summary(filter, ['provider'])).toEqual([]);
      }
    });

    it('keep money exact beyond 2^53', async () => {
      const amountNano = Number.MAX_SAFE_INTEGER;
      const entries = [1, 2, 3].map((line) => entryRow({ line, amountNano, listAmountNano: amountNano }));
      await startBatch(subject.store, 'batch_1', [segmentRow('batch_1', 0)]);
      const leases = await claim(subject.store);
      await subject.store.segments.commit(emptyCommit(leases, { entries }));
      const expected = 3n * BigInt(amountNano);
      for (const filter of [tenant, { ...tenant, batchId: 'batch_1' }]) {
        expect(await summary(filter)).toMatchObject([{ amountNano: expected, listAmountNano: expected }]);
      }
      const [listed] = (await subject.store.batches.list({ tenantId: 'tenant-a' }, { limit: 1 })) ?? [];
      expect(listed).toMatchObject({ amountNano: expected, listAmountNano: expected });
    });

    it('are given by every group, in ascending order, null first', async () => {
      await subject.store.ledger.append([
        entryRow({ line: 1, model: 'b', tags: { team: 'search', run: '1' } }),
        entryRow({ line: 2, model: 'a', keyId: null, createdAt: HOUR - 1, tags: { team: 'search', run: '2' } }),
        entryRow({ line: 3, model: 'a', provider: 'azure', target: 'azure/a', createdAt: DAY - 1, tags: null }),
        entryRow({ line: null, batchId: null, model: 'a', status: 'failed', tags: { team: 'ads' } }),
      ]);
      expect(counts(await summary(tenant, ['model']))).toEqual([
        ['a', 3],
        ['b', 1],
      ]);
      expect(counts(await summary(tenant, ['provider', 'status']))).toEqual([
        ['azure', 'succeeded', 1],
        ['pool', 'failed', 1],
        ['pool', 'succeeded', 2],
      ]);
      expect(counts(await summary(tenant, ['hour']))).toEqual([
        [DAY - 3_600, 1],
        [HOUR - 3_600, 1],
        [HOUR, 2],
      ]);
      expect(counts(await summary(tenant, ['day']))).toEqual([
        [DAY - 86_400, 1],
        [DAY, 3],
      ]);
      expect(counts(await summary(tenant, ['key']))).toEqual([
        [null, 1],
        ['key_1', 3],
      ]);
      expect(counts(await summary(tenant, ['batch']))).toEqual([
        [null, 1],
        ['batch_1', 3],
      ]);
      expect(counts(await summary(tenant, ['target']))).toEqual([
        ['azure/a', 1],
        ['pool/llama', 3],
      ]);
      expect(counts(await summary(tenant, ['tag'], 'team'))).toEqual([
        [null, 1],
        ['ads', 1],
        ['search', 2],
      ]);
      expect(counts(await summary(tenant, ['tag'], 'constructor'))).toEqual([[null, 4]]);
      expect(counts(await summary(tenant, ['day', 'tag', 'model'], 'run'))).toEqual([
        [DAY - 86_400, null, 'a', 1],
        [DAY, null, 'a', 1],
        [DAY, '1', 'b', 1],
        [DAY, '2', 'a', 1],
      ]);
    });

    it('are of one tenant, or of all when none is named', async () => {
      await subject.store.ledger.append([entryRow(), entryRow({ tenantId: 'tenant-b', batchId: 'batch_b' })]);
      expect(counts(await summary(tenant))).toEqual([[1]]);
      expect(counts(await summary({ tenantId: null }))).toEqual([[2]]);
      expect(counts(await summary({ tenantId: 'tenant-c' }))).toEqual([[0]]);
    });

    /** Every grouping of these entries, by hand. */
    async function expectGroups(entries: readonly LedgerEntryRow[], time: Pick<LedgerFilter, 'from' | 'to'>) {
      const values: Record<string, (entry: LedgerEntryRow) => string | number | null> = {
        hour: ({ createdAt }) => createdAt - (createdAt % 3_600),
        day: ({ createdAt }) => createdAt - (createdAt % 86_400),
        key: ({ keyId }) => keyId,
        batch: ({ batchId }) => batchId,
        tag: ({ tags }) => tags?.run ?? null,
      };
      const grouped = [['key'], ['hour'], ['day', 'key'], ['batch', 'day'], ['tag'], ['tag', 'hour']] as const;
      const expectOne = async (groups: (typeof grouped)[number]) => {
        const byHand = Map.groupBy(entries, (entry) => JSON.stringify(groups.map((name) => values[name]?.(entry))));
        const rows = await summary({ ...tenant, ...time }, [...groups], 'run');
        const read = rows.map(({ group, ...sums }) => [JSON.stringify(groups.map((name) => group[name])), sums]);
        expect(Object.fromEntries(read)).toEqual(
          Object.fromEntries([...byHand].map(([key, same]) => [key, sum(same)])),
        );
      };
      await Promise.all(grouped.map(expectOne));
    }

    it('equal the entries and the batch after any sequence of commits and late answers', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)]);
      const leases = await claim(store, { until: NOW + 9_999 });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 6 }), async (steps) => {
          for (const { commit, entries } of steps) {
            const rows = entries.map((change) => entryRow(change as Partial<LedgerEntryRow>));
            if (commit) await store.segments.commit(emptyCommit(leases, { entries: rows, usage: batchUsage(1) }));
            else await store.ledger.append(rows);
          }
          const entries = await readAll(store, tenant);
          const expected = { group: {}, ...sum(entries) };
          expect(await summary(tenant)).toEqual([expected]);
          expect(await summary({ ...tenant, batchId: 'batch_1' })).toEqual([expected]);
          const { amountNano, listAmountNano, unpricedEntries } = expected;
          expect(await store.batches.get('all', 'batch_1')).toMatchObject({
            entries: entries.length,
            amountNano,
            listAmountNano,
            unpricedEntries,
          });
          const spans = [
            [HOUR, HOUR + 3_600],
            [HOUR - 1, HOUR + 3_601],
            [DAY, DAY + 86_400],
            [DAY - 86_401, HOUR + 100_000],
            [HOUR + 10, HOUR + 20],
            [DAY - 150_000, undefined],
          ] as const;
          const expectSpan = async ([from, to]: (typeof spans)[number]) => {
            const within = entries.filter(({ createdAt }) => createdAt >= from && createdAt < (to ?? Number.MAX_VALUE));
            expect(await summary({ ...tenant, from, to })).toEqual([{ group: {}, ...sum(within) }]);
            expect(await readAll(store, { ...tenant, from, to })).toEqual(within);
            const tag = { key: 'team', value: 'search' };
            const tagged = within.filter(({ tags }) => tags?.team === 'search');
            expect(await summary({ ...tenant, from, to, tag })).toEqual([{ group: {}, ...sum(tagged) }]);
            await expectGroups(within, { from, to });
          };
          await Promise.all(spans.map(expectSpan));
        }),
        { numRuns: 12 },
      );
    });
  });
}
