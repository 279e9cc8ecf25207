import { describe, expect, it } from 'vitest';
import { claimShards, entryRow, NOW, type Subject, shardRow, startBatch } from './subject.ts';

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
  });
}
