import { describe, expect, it } from 'vitest';
import type { LedgerFilter } from '../../../src/ports/store-ledger.ts';
import { batchRow, entryRow, NOW, type Subject } from './subject.ts';

const tenant = { tenantId: 'tenant-a' };

export function ledgerContract(subject: Subject): void {
  describe('ledger entries', () => {
    const list = (filter: LedgerFilter, page: { after?: string; order?: 'asc' | 'desc'; limit?: number } = {}) =>
      subject.store.ledger.entries(filter, { limit: 100, ...page });
    const lines = async (filter: LedgerFilter) => (await list(filter, { order: 'asc' }))?.map((entry) => entry.line);

    it('give back every field, and every field that is null', async () => {
      const full = entryRow({ estimated: true, unpricedReason: 'no price', errorCode: 'rate_limited' });
      const empty = entryRow({
        line: 2,
        keyId: null,
        customId: null,
        servedModel: null,
        statusCode: null,
        usage: null,
        rawUsage: null,
        rates: null,
        priceVersion: null,
        amountNano: null,
        listAmountNano: null,
        tags: null,
        latencyMs: null,
        final: false,
      });
      const sync = entryRow({ batchId: null, line: null, customId: null, mode: 'sync' });
      await subject.store.ledger.append([full, empty, sync]);
      const stored = await list(tenant, { order: 'asc' });
      expect(stored?.map(({ id: _, ...entry }) => entry)).toEqual([full, empty, sync]);
      expect(new Set(stored?.map((entry) => entry.id)).size).toBe(3);
      for (const entry of stored ?? []) expect(entry.id).toMatch(/^entry_/);
    });

    it('of calls are written once, though the same lines of a journal are given again', async () => {
      const { ledger } = subject.store;
      const call = (customId: string) => entryRow({ batchId: null, line: null, customId, mode: 'sync' });
      for (const _ of ['written, the answer lost', 'asked again'])
        await ledger.appendCalls([call('a'), call('b')], { id: 'journal', position: 2 });
      await ledger.appendCalls([call('c')], { id: 'journal', position: 3 });
      const stored = await list(tenant, { order: 'asc' });
      expect(stored?.map(({ customId }) => customId).toSorted()).toEqual(['a', 'b', 'c']);
      expect(await ledger.journalPosition('journal')).toBe(3);
    });

    it('of calls keep the ids that they are given, by which they are known without a journal', async () => {
      const { ledger } = subject.store;
      const call = (id: string) => entryRow({ batchId: null, line: null, mode: 'sync', id });
      for (const _ of ['written, the answer lost', 'asked again'])
        await ledger.appendCalls([call('entry_a'), call('entry_b')], null);
      await ledger.appendCalls([call('entry_c')], null);
      expect((await list(tenant, { order: 'asc' }))?.map(({ id }) => id)).toEqual(['entry_a', 'entry_b', 'entry_c']);
      expect(await list(tenant, { after: 'entry_a', order: 'asc' })).toHaveLength(2);
    });

    it('are read by pages, newest first or oldest first, and keep their place under inserts', async () => {
      const { ledger } = subject.store;
      await ledger.append([1, 2, 3].map((line) => entryRow({ line, createdAt: NOW + 10 - line })));
      await ledger.append([entryRow({ batchId: null, line: null })]);
      const first = await list(tenant, { limit: 2 });
      expect(first?.map((entry) => entry.line)).toEqual([null, 3]);
      await ledger.append([entryRow({ line: 4 })]);
      for (const entry of first ?? []) {
        const rest = await list(tenant, { after: entry.id });
        expect(rest?.map(({ line }) => line)).toEqual(entry.line === null ? [3, 2, 1] : [2, 1]);
      }
      const oldest = await list(tenant, { limit: 1, order: 'asc' });
      const next = await list(tenant, { order: 'asc', after: oldest?.[0]?.id ?? '' });
      expect(next?.map((entry) => entry.line)).toEqual([2, 3, null, 4]);
    });

    it('tell the custom ids of lines that have one', async () => {
      const { ledger } = subject.store;
      const odd = 'b\u0000"\ud800';
      await ledger.append([entryRow({ line: 1, customId: 'a' }), entryRow({ line: 2, customId: null })]);
      await ledger.append([1, 2].map((attempt) => entryRow({ line: 3, attempt, customId: odd })));
      const { batchId } = entryRow({});
      expect([...(await ledger.customIds(batchId ?? '', 1, 3))]).toEqual([
        [1, 'a'],
        [3, odd],
      ]);
      expect((await ledger.customIds(batchId ?? '', 2, 2)).size).toBe(0);
    });

    it('tell the output tokens of the newest of them, newest first', async () => {
      const { ledger } = subject.store;
      await ledger.append([1, 2, 3].map((line) => entryRow({ line, outputTokens: line * 10, createdAt: NOW - line })));
      await ledger.append([entryRow({ line: 4, outputTokens: 7, status: 'failed', rawUsage: null })]);
      expect(await ledger.latestOutputTokens({ ...tenant, status: 'succeeded' }, 2)).toEqual([30, 20]);
      expect(await ledger.latestOutputTokens({ ...tenant, from: NOW - 1, to: NOW }, 9)).toEqual([10]);
      expect(await ledger.latestOutputTokens({ tenantId: 'tenant-b' }, 9)).toEqual([]);
    });

    it('are hidden from other tenants, also as a cursor', async () => {
      await subject.store.ledger.append([entryRow(), entryRow({ batchId: null, line: null })]);
      const stored = (await list(tenant)) ?? [];
      expect(stored).toHaveLength(2);
      expect(await list({ tenantId: 'tenant-b' })).toEqual([]);
      for (const { id } of stored) {
        expect(await list({ tenantId: 'tenant-b' }, { after: id })).toBeNull();
        expect(await list({ tenantId: null }, { after: id })).not.toBeNull();
      }
      expect(await list(tenant, { after: 'entry_none' })).toBeNull();
      expect(await list(tenant, { after: 'entry_batch_1_99_1' })).toBeNull();
      expect(await list({ tenantId: null })).toHaveLength(2);
    });

    it('are found by time, batch, provider, model, key, status and tag', async () => {
      await subject.store.ledger.append([
        entryRow({ line: 1 }),
        entryRow({ line: 2, createdAt: NOW + 3_600, provider: 'openai', keyId: null }),
        entryRow({ line: 3, createdAt: NOW + 7_200, model: 'gpt', tags: { team: 'ads', 'a "b" \u0000': 'x' } }),
        entryRow({ line: 4, createdAt: NOW - 1, batchId: 'batch_2', status: 'failed', tags: null }),
      ]);
      expect(await lines({ ...tenant, from: NOW })).toEqual([1, 2, 3]);
      expect(await lines({ ...tenant, from: NOW, to: NOW + 7_200 })).toEqual([1, 2]);
      expect(await lines({ ...tenant, to: NOW })).toEqual([4]);
      expect(await lines({ ...tenant, from: NOW + 9_000_000 })).toEqual([]);
      expect(await lines({ ...tenant, batchId: 'batch_1', from: NOW + 1 })).toEqual([2, 3]);
      expect(await lines({ ...tenant, provider: 'openai' })).toEqual([2]);
      expect(await lines({ ...tenant, model: 'gpt' })).toEqual([3]);
      expect(await lines({ ...tenant, keyId: 'key_1' })).toEqual([1, 3, 4]);
      expect(await lines({ ...tenant, status: 'failed' })).toEqual([4]);
      expect(await lines({ ...tenant, tag: { key: 'team', value: 'search' } })).toEqual([1, 2]);
      expect(await lines({ tenantId: null, tag: { key: 'team', value: 'ads' } })).toEqual([3]);
      expect(await lines({ tenantId: 'tenant-b', tag: { key: 'team', value: 'ads' } })).toEqual([]);
    });

    it('with a taken attempt number get the next free one, also within one call', async () => {
      const { ledger } = subject.store;
      await ledger.append([entryRow({ line: 1 }), entryRow({ line: 1 }), entryRow({ line: 1, attempt: 5 })]);
      await ledger.append([
        entryRow({ line: 1, attempt: 5 }),
        entryRow({ line: 1, attempt: 3 }),
        entryRow({ line: 2 }),
      ]);
      const attempts = (await list(tenant, { order: 'asc' }))?.filter((entry) => entry.line === 1);
      expect(attempts?.map((entry) => entry.attempt).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 5, 6]);
      expect(await ledger.spent('batch_1', 1, 2)).toEqual(
        new Map([
          [1, { attempts: 6, amountNano: 5_000 }],
          [2, { attempts: 1, amountNano: 1_000 }],
        ]),
      );
      expect([...(await ledger.spent('batch_1', 2, 9)).keys()]).toEqual([2]);
    });

    it('are totalled for the lines of which the last attempt alone does not tell', async () => {
      const { ledger } = subject.store;
      await ledger.append([
        entryRow({ line: 1 }),
        entryRow({ line: 2, final: false }),
        entryRow({ line: 2, attempt: 2, amountNano: 5 }),
        entryRow({ line: 3, final: false, amountNano: null }),
        entryRow({ line: 4, attempt: 3, final: false, amountNano: null }),
        entryRow({ line: 4, attempt: 4, amountNano: 7 }),
        entryRow({ line: 5, final: false, status: 'failed', amountNano: 0 }),
        entryRow({ line: 5, attempt: 2, amountNano: null }),
        entryRow({ line: 6, final: false, status: 'failed', amountNano: 0 }),
        entryRow({ line: 9, final: false }),
        entryRow({ line: 2, batchId: 'batch_2' }),
      ]);
      expect(await ledger.lineTotals('batch_1', 1, 8)).toEqual(
        new Map([
          [2, { attempts: 2, amountNano: 1_005 }],
          [3, { attempts: 1, amountNano: null }],
          [4, { attempts: 4, amountNano: 7 }],
          [5, { attempts: 2, amountNano: null }],
          [6, { attempts: 1, amountNano: 0 }],
        ]),
      );
    });

    it('added outside a commit count in the sums of their batch', async () => {
      const { batches, ledger } = subject.store;
      await batches.insert(batchRow('batch_1'));
      await batches.insert(batchRow('batch_2'));
      await ledger.append([]);
      await ledger.append([
        entryRow(),
        entryRow({ line: 2, amountNano: null }),
        entryRow({ batchId: null, line: null }),
      ]);
      expect(await batches.get('all', 'batch_1')).toEqual(
        batchRow('batch_1', { entries: 2, unpricedEntries: 1, amountNano: 1_000n, listAmountNano: 4_000n }),
      );
      expect(await batches.get('all', 'batch_2')).toEqual(batchRow('batch_2'));
    });
  });
}
