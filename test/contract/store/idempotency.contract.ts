import { describe, expect, it } from 'vitest';
import type { IdempotencyRow } from '../../../src/ports/store-idempotency.ts';
import { NOW, type Subject } from './subject.ts';

function keyRow(change: Partial<IdempotencyRow> = {}): IdempotencyRow {
  return {
    tenantId: 'tenant-a',
    key: 'order-1',
    fingerprint: 'POST /v1/batches 1',
    seed: 'seed-1',
    status: null,
    body: null,
    createdAt: NOW,
    ...change,
  };
}

export function idempotencyContract(subject: Subject): void {
  describe('idempotency keys', () => {
    it('belong to the first run until its lock ends, then to the next, with the first seed', async () => {
      const { idempotency } = subject.store;
      expect(await idempotency.claim(keyRow(), NOW, NOW + 60)).toEqual({ state: 'mine', row: keyRow() });
      const second = keyRow({ seed: 'seed-2', createdAt: NOW + 1 });
      expect(await idempotency.claim(second, NOW + 59, NOW + 120)).toEqual({ state: 'busy', row: keyRow() });
      expect(await idempotency.claim(second, NOW + 60, NOW + 120)).toEqual({ state: 'mine', row: keyRow() });
      expect((await idempotency.claim(second, NOW + 119, NOW + 180)).state).toBe('busy');
    });

    it('answer with what the first run stored, for ever', async () => {
      const { idempotency } = subject.store;
      await idempotency.claim(keyRow(), NOW, NOW + 60);
      const answered = keyRow({ status: 201, body: '{"id":"batch_1"}' });
      expect(await idempotency.finish('tenant-a', 'order-1', 201, '{"id":"batch_1"}')).toBeNull();
      expect(await idempotency.finish('tenant-a', 'order-1', 201, '{"id":"batch_1"}')).toBeNull();
      expect(await idempotency.finish('tenant-a', 'order-1', 201, '{"id":"batch_2"}')).toEqual(answered);
      expect(await idempotency.finish('tenant-a', 'order-1', 500, '{}')).toEqual(answered);
      expect(await idempotency.finish('tenant-a', 'order-9', 200, '{}')).toBeNull();
      await idempotency.release('tenant-a', 'order-1', [NOW + 60]);
      expect(await idempotency.renew('tenant-a', 'order-1', [NOW + 60], NOW + 90)).toBe(false);
      expect(await idempotency.claim(keyRow({ seed: 'seed-2' }), NOW + 999, NOW + 1_060)).toEqual({
        state: 'done',
        row: answered,
      });
    });

    it('can be claimed again at once after a release, with the first seed', async () => {
      const { idempotency } = subject.store;
      await idempotency.claim(keyRow(), NOW, NOW + 60);
      await idempotency.release('tenant-a', 'order-1', [NOW + 60]);
      const claimed = await idempotency.claim(keyRow({ seed: 'seed-2' }), NOW, NOW + 60);
      expect(claimed).toEqual({ state: 'mine', row: keyRow() });
    });

    it('stay with a run that prolongs its claim, and are all given back when nobody else is alive', async () => {
      const { idempotency } = subject.store;
      const second = (key: string) => idempotency.claim(keyRow({ key, seed: 'seed-2' }), NOW + 60, NOW + 90);
      await idempotency.claim(keyRow(), NOW, NOW + 60);
      expect(await idempotency.renew('tenant-a', 'order-1', [NOW + 60], NOW + 90)).toBe(true);
      expect((await second('order-1')).state).toBe('busy');
      await idempotency.claim(keyRow({ key: 'order-2' }), NOW, NOW + 60);
      await idempotency.finish('tenant-a', 'order-2', 200, '{}');
      await idempotency.releaseAll();
      expect(await idempotency.renew('tenant-a', 'order-1', [NOW + 90], NOW + 120)).toBe(false);
      expect(await second('order-1')).toEqual({ state: 'mine', row: keyRow() });
      expect((await second('order-2')).state).toBe('done');
    });

    it('stay with the run that took them over from one whose claim had lapsed', async () => {
      const { idempotency } = subject.store;
      await idempotency.claim(keyRow(), NOW, NOW + 60);
      await idempotency.claim(keyRow(), NOW + 60, NOW + 120);
      expect(await idempotency.renew('tenant-a', 'order-1', [NOW + 60], NOW + 130)).toBe(false);
      await idempotency.release('tenant-a', 'order-1', [NOW + 60]);
      expect((await idempotency.claim(keyRow(), NOW + 61, NOW + 121)).state).toBe('busy');
      // A prolongation whose answer was lost may have been made or not.
      expect(await idempotency.renew('tenant-a', 'order-1', [NOW + 110, NOW + 120], NOW + 140)).toBe(true);
      await idempotency.release('tenant-a', 'order-1', [NOW + 140]);
      expect((await idempotency.claim(keyRow(), NOW + 61, NOW + 121)).state).toBe('mine');
    });

    it('are never taken over by another request, only shown to it', async () => {
      const { idempotency } = subject.store;
      await idempotency.claim(keyRow(), NOW, NOW + 60);
      await idempotency.release('tenant-a', 'order-1', [NOW + 60]);
      const other = await idempotency.claim(keyRow({ fingerprint: 'POST /v1/files 2' }), NOW + 61, NOW + 120);
      expect(other).toEqual({ state: 'busy', row: keyRow() });
      expect((await idempotency.claim(keyRow(), NOW + 62, NOW + 120)).state).toBe('mine');
    });

    it('go to one of many runs that claim at the same moment', async () => {
      const stores = [subject.store, await subject.another(), await subject.another()];
      const states = await Promise.all(
        stores.map(async (store, index) => {
          const claimed = await store.idempotency.claim(keyRow({ seed: `seed-${index}` }), NOW, NOW + 60);
          return claimed.state;
        }),
      );
      expect(states.toSorted()).toEqual(['busy', 'busy', 'mine']);
    });

    it('are kept apart by tenant, and go when they are old', async () => {
      const { idempotency } = subject.store;
      await idempotency.claim(keyRow(), NOW, NOW + 60);
      const other = keyRow({ tenantId: 'tenant-b', createdAt: NOW + 10 });
      expect((await idempotency.claim(other, NOW, NOW + 60)).state).toBe('mine');
      await idempotency.deleteBefore(NOW + 10);
      const again = keyRow({ seed: 'seed-2' });
      expect(await idempotency.claim(again, NOW, NOW + 60)).toEqual({ state: 'mine', row: again });
      expect((await idempotency.claim(other, NOW, NOW + 60)).state).toBe('busy');
    });
  });
}
