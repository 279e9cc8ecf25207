import { describe, expect, it } from 'vitest';
import { batchRow, fileRow, NOW, type Subject } from './subject.ts';

const own = { tenantId: 'tenant-a' };
const other = { tenantId: 'tenant-b' };

export function filesContract(subject: Subject): void {
  describe('files', () => {
    it('gives back every field of a row, and leaves a row that is there as it is', async () => {
      const { files } = subject.store;
      await files.insert(fileRow('file-1'));
      await files.insert(fileRow('file-1', { filename: 'other.jsonl' }));
      expect(await files.get(own, 'file-1')).toEqual(fileRow('file-1'));
      const plain = fileRow('file-2', { plan: null, planKey: null, keyId: null, expiresAt: NOW + 5 });
      await files.insert(plain);
      expect(await files.get('all', 'file-2')).toEqual(plain);
    });

    it('hides a row from other tenants in every look-up', async () => {
      const { files } = subject.store;
      await files.insert(fileRow('file-1'));
      expect(await files.get(other, 'file-1')).toBeNull();
      expect(await files.markDeleted(other, 'file-1', NOW)).toBe(false);
      expect(await files.list('tenant-b', { limit: 10 })).toEqual([]);
      expect(await files.list('tenant-b', { limit: 10, after: 'file-1' })).toBeNull();
      expect(await files.get('all', 'file-1')).not.toBeNull();
    });

    it('lists newest first, by purpose, and keeps its place under inserts and deletions', async () => {
      const { files } = subject.store;
      for (const n of [1, 2, 3, 4]) {
        await files.insert(fileRow(`file-${n}`, { createdAt: NOW - n, purpose: n === 2 ? 'evals' : 'batch' }));
      }
      const ids = async (query: Parameters<typeof files.list>[1]) =>
        (await files.list('tenant-a', query))?.map((row) => row.id);
      expect(await ids({ limit: 2 })).toEqual(['file-4', 'file-3']);
      await files.insert(fileRow('file-5'));
      await files.markDeleted(own, 'file-3', NOW);
      expect(await ids({ limit: 2, after: 'file-3' })).toEqual(['file-2', 'file-1']);
      expect(await ids({ limit: 9, order: 'asc' })).toEqual(['file-1', 'file-2', 'file-4', 'file-5']);
      expect(await ids({ limit: 9, order: 'asc', after: 'file-3' })).toEqual(['file-4', 'file-5']);
      expect(await ids({ limit: 9, purpose: 'evals' })).toEqual(['file-2']);
      expect(await files.list('tenant-a', { limit: 9, after: 'file-none' })).toBeNull();
    });

    it('deletes once, and still knows the deleted row for batches that run on it', async () => {
      const { files } = subject.store;
      await files.insert(fileRow('file-1'));
      expect(await files.markDeleted(own, 'file-1', NOW + 1)).toBe(true);
      expect(await files.markDeleted(own, 'file-1', NOW + 2)).toBe(false);
      expect(await files.get(own, 'file-1')).toBeNull();
      expect(await files.getAny('file-1')).toEqual(fileRow('file-1', { deletedAt: NOW + 1 }));
    });

    it('marks what has expired, as many as asked for, and nothing else', async () => {
      const { files } = subject.store;
      await files.insert(fileRow('file-1', { expiresAt: NOW }));
      await files.insert(fileRow('file-2', { expiresAt: NOW - 1 }));
      await files.insert(fileRow('file-3', { expiresAt: NOW + 1 }));
      await files.insert(fileRow('file-4'));
      expect(await files.markExpired(NOW, 1)).toBe(1);
      expect(await files.get(own, 'file-2')).toBeNull();
      expect(await files.markExpired(NOW, 10)).toBe(1);
      expect((await files.list('tenant-a', { limit: 9 }))?.map((row) => row.id)).toEqual(['file-4', 'file-3']);
    });

    it('offers deleted bytes for purging once no live batch needs them, and only until they are purged', async () => {
      const { files, batches } = subject.store;
      for (const id of ['file-1', 'file-2', 'file-3']) await files.insert(fileRow(id));
      await batches.insert(batchRow('batch_1', { inputFileId: 'file-1' }));
      await batches.insert(batchRow('batch_2', { inputFileId: 'file-2', status: 'completed' }));
      expect(await files.purgeable(10)).toEqual([]);
      await files.markDeleted(own, 'file-1', NOW);
      await files.markDeleted(own, 'file-2', NOW);
      expect((await files.purgeable(10)).map((row) => row.id)).toEqual(['file-2']);
      await files.markPurged(['file-2', 'file-3'], NOW);
      expect(await files.purgeable(10)).toEqual([]);
      expect(await files.get(own, 'file-3')).not.toBeNull();
    });
  });
}
