import { describe, expect, it } from 'vitest';
import type { KeyRow } from '../../../src/ports/store-keys.ts';
import type { Scope } from '../../../src/ports/store-query.ts';
import { NOW, type Subject } from './subject.ts';

function keyRow(id: string, change: Partial<KeyRow> = {}): KeyRow {
  return {
    id,
    tenantId: 'tenant-a',
    name: 'laptop',
    role: 'user',
    prefix: 'weir_ab',
    hash: `hash-of-${id}`,
    limits: null,
    createdAt: NOW,
    revokedAt: null,
    ...change,
  };
}

export function keysContract(subject: Subject): void {
  describe('keys', () => {
    it('finds a key by its hash, revoked or not', async () => {
      const { keys } = subject.store;
      expect(await keys.count()).toBe(0);
      await keys.insert(keyRow('key_1'));
      expect(await keys.findByHash('hash-of-key_1')).toEqual(keyRow('key_1'));
      expect(await keys.findByHash('hash-of-key_2')).toBeNull();
      await keys.revoke('key_1', NOW + 1);
      expect(await keys.findByHash('hash-of-key_1')).toEqual(keyRow('key_1', { revokedAt: NOW + 1 }));
      expect(await keys.count()).toBe(1);
    });

    it('keeps the time of the first revocation', async () => {
      const { keys } = subject.store;
      await keys.insert(keyRow('key_1'));
      expect(await keys.revoke('key_1', NOW + 1)).toEqual(keyRow('key_1', { revokedAt: NOW + 1 }));
      expect(await keys.revoke('key_1', NOW + 2)).toEqual(keyRow('key_1', { revokedAt: NOW + 1 }));
      expect(await keys.revoke('key_none', NOW)).toBeNull();
    });

    it('tells which of many keys may be used still', async () => {
      const { keys } = subject.store;
      for (const id of ['key_1', 'key_2', 'key_3']) await keys.insert(keyRow(id));
      await keys.revoke('key_2', NOW);
      expect(await keys.working(['key_1', 'key_2', 'key_none'])).toEqual(new Set(['key_1']));
      expect(await keys.working([])).toEqual(new Set());
    });

    it('refuses a second key with the same hash', async () => {
      const { keys } = subject.store;
      await keys.insert(keyRow('key_1', { hash: 'same' }));
      await expect(keys.insert(keyRow('key_2', { hash: 'same' }))).rejects.toThrow();
      expect(await keys.count()).toBe(1);
    });

    it('keeps a key that an earlier run made; a later one gives it a secret, unless it is revoked', async () => {
      const { keys } = subject.store;
      const first = keyRow('key_1');
      expect(await keys.insert(first)).toEqual(first);
      const secret = { hash: 'hash-2', prefix: 'weir_cd' };
      const other = { ...secret, name: 'other', createdAt: NOW + 9 };
      expect(await keys.insert(keyRow('key_1', other))).toEqual(first);
      expect(await keys.insert(keyRow('key_1', other), true)).toEqual(keyRow('key_1', secret));
      expect(await keys.findByHash(first.hash)).toBeNull();
      const revoked = await keys.revoke('key_1', NOW + 1);
      expect(await keys.insert(first, true)).toEqual(revoked);
      expect(await keys.insert(keyRow('key_2'), true)).toEqual(keyRow('key_2'));
    });

    it('lists the keys of all tenants, or of one, by pages', async () => {
      const { keys } = subject.store;
      for (const n of [1, 2, 3]) await keys.insert(keyRow(`key_${n}`, { tenantId: `tenant-${n}` }));
      await keys.revoke('key_2', NOW);
      const ids = async (query: Parameters<typeof keys.list>[1], scope: Scope = 'all') =>
        (await keys.list(scope, query))?.map((row) => row.id);
      expect(await ids({ limit: 2 })).toEqual(['key_3', 'key_2']);
      expect(await ids({ limit: 2, after: 'key_2' })).toEqual(['key_1']);
      expect(await ids({ limit: 2, order: 'asc', after: 'key_1' })).toEqual(['key_2', 'key_3']);
      expect(await keys.list('all', { limit: 2, after: 'key_none' })).toBeNull();
      const one = { tenantId: 'tenant-2' };
      expect(await ids({ limit: 2 }, one)).toEqual(['key_2']);
      expect(await ids({ limit: 2, after: 'key_2' }, one)).toEqual([]);
      expect(await keys.list(one, { limit: 2, after: 'key_1' })).toBeNull();
    });
  });
}
