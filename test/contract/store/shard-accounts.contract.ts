import { describe, expect, it } from 'vitest';
import type { Store } from '../../../src/ports/store.ts';
import { claimShards, entryRow, NOW, type Subject, shardRow, startBatch } from './subject.ts';

const how = { now: NOW + 60, note: 'a test' };

/** States every entry as it stands anew, at the amount that `amountOf` makes of it. */
async function adjustAll(store: Store, amountOf: (amountNano: number | null) => number): Promise<void> {
  const entries = await store.ledger.adjustable({ tenantId: null }, { after: 0, limit: 99, unpricedOnly: false });
  const rates = { version: 'v', mode: 'batch', tier: 'base', input: 1 } as const;
  const corrections = entries.map((entry) => {
    return { entry, rates, priceVersion: 'v', amountNano: amountOf(entry.amountNano), listAmountNano: null };
  });
  expect(await store.ledger.adjust(corrections, how)).toBe(true);
}

export function shardAccountsContract(subject: Subject): void {
  describe('accounts of shards', () => {
    it('are of those submitted in a time, oldest first, page by page, with what the ledger has of each', async () => {
      const { store } = subject;
      await startBatch(
        store,
        'batch_1',
        [],
        {},
        [0, 1, 2, 3].map((index) => shardRow('batch_1', index)),
      );
      const leases = (await claimShards(store)).slice(0, 3);
      for (const [index, { id, leaseToken }] of leases.entries()) {
        await store.shards.save(id, leaseToken, { state: 'submitting', token: `weir-${index}` });
        const submitted = { providerBatchId: `remote-${index}`, submittedAt: NOW + 10 - index };
        await store.shards.save(id, leaseToken, { state: 'running', ...submitted });
      }
      const first = leases[0]?.id ?? '';
      const entry = (line: number) => entryRow({ line, shardId: first, amountNano: Number.MAX_SAFE_INTEGER });
      await store.ledger.append([entry(1), entry(2)]);
      const ask = (change: object = {}) =>
        store.shards.submitted({ from: NOW, to: NOW + 11, after: null, limit: 9, ...change });
      expect((await ask()).map(({ providerBatchId }) => providerBatchId)).toEqual(['remote-2', 'remote-1', 'remote-0']);
      expect((await ask({ to: NOW + 9 })).map(({ providerBatchId }) => providerBatchId)).toEqual(['remote-2']);
      const [page] = await ask({ limit: 1, after: leases[1]?.id });
      expect(page).toMatchObject({
        id: first,
        ledger: { entries: 2, inputTokens: 20, outputTokens: 10, amountNano: 2n * BigInt(Number.MAX_SAFE_INTEGER) },
      });
      const none = { entries: 0, inputTokens: 0, outputTokens: 0, amountNano: 0n };
      expect((await ask())[0]?.ledger).toEqual(none);
    });

    it('are what their entries came to after all that was corrected since, once and again', async () => {
      const { store } = subject;
      const rows = [0, 1].map((index) => shardRow('batch_1', index, { providerBatchId: 'p', submittedAt: NOW }));
      await startBatch(store, 'batch_1', [], {}, rows);
      const shardId = 'batch_1-s0';
      await store.ledger.append([
        entryRow({ line: 1, shardId, amountNano: 100, ranAt: NOW - 5 }),
        entryRow({ line: 2, shardId, amountNano: null }),
        entryRow({ line: 3, shardId, amountNano: null, status: 'unknown', inputTokens: 0 }),
        entryRow({ line: 4, amountNano: 7 }),
        entryRow({ line: 11, shardId: 'batch_1-s1', amountNano: 5 }),
      ]);
      const [doubt] = await store.ledger.doubts(shardId);
      if (doubt === undefined) throw new Error('nothing is in doubt');
      const accounts = async () =>
        (await store.shards.list('batch_1')).map(({ amountNano, unpriced, entries }) => ({
          amountNano,
          unpriced,
          entries,
        }));
      const other = { unpriced: 0, entries: 1 };
      expect(await accounts()).toEqual([
        { amountNano: 100n, unpriced: 2, entries: 3 },
        { amountNano: 5n, ...other },
      ]);
      await store.ledger.resolve([{ entry: doubt, as: entryRow({ line: 3, amountNano: 50, ranAt: NOW - 7 }) }], how);
      expect(await accounts()).toMatchObject([{ amountNano: 150n, unpriced: 1, entries: 3 }, {}]);
      await adjustAll(store, (amount) => (amount ?? 20) * 2);
      const once = { amountNano: 340n, unpriced: 0, entries: 3 };
      expect(await accounts()).toEqual([once, { amountNano: 10n, ...other }]);
      await adjustAll(store, (amount) => (amount ?? 0) + 1);
      expect(await accounts()).toEqual([
        { ...once, amountNano: 343n },
        { amountNano: 11n, ...other },
      ]);
      // What was entered twice over is still priced by when it ran.
      const standing = await store.ledger.adjustable({ tenantId: null }, { after: 0, limit: 99, unpricedOnly: false });
      const ran = standing.map(({ line, ranAt }) => [line, ranAt]);
      expect(new Map(ran as [number, number][])).toEqual(
        new Map([
          [1, NOW - 5],
          [2, NOW],
          [3, NOW - 7],
          [4, NOW],
          [11, NOW],
        ]),
      );
      const submitted = await store.shards.submitted({ from: NOW, to: NOW + 1, after: null, limit: 9 });
      expect(submitted.map(({ ledger }) => ledger)).toMatchObject([
        { entries: 3, inputTokens: 30, outputTokens: 15, amountNano: 343n },
        { entries: 1, amountNano: 11n },
      ]);
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({ amountNano: 343n + 11n + 15n });
    });
  });
}
