import { describe, expect, it } from 'vitest';
import type { UploadPartRow, UploadRow } from '../../../src/ports/store-uploads.ts';
import { fileRow, NOW, type Subject } from './subject.ts';

function uploadRow(id: string, change: Partial<UploadRow> = {}): UploadRow {
  return {
    id,
    tenantId: 'tenant-a',
    keyId: null,
    bytes: 20,
    filename: 'input.jsonl',
    mimeType: 'text/jsonl',
    purpose: 'batch',
    expiresAfterSeconds: 3_600,
    createdAt: NOW,
    expiresAt: NOW + 3_600,
    status: 'pending',
    fileId: null,
    ...change,
  };
}

function partRow(id: string, uploadId = 'upload_1'): UploadPartRow {
  return { id, uploadId, bytes: 10, contentKey: `uploads/${uploadId}/${id}`, createdAt: NOW };
}

export function uploadsContract(subject: Subject): void {
  describe('uploads', () => {
    it('keeps an upload and its parts in the order they came, for its tenant alone', async () => {
      const { uploads } = subject.store;
      await uploads.insert(uploadRow('upload_1'));
      await uploads.insert(uploadRow('upload_1', { bytes: 1 }));
      expect(await uploads.get({ tenantId: 'tenant-a' }, 'upload_1')).toEqual(uploadRow('upload_1'));
      expect(await uploads.get({ tenantId: 'tenant-b' }, 'upload_1')).toBeNull();
      expect(await uploads.addPart(partRow('part_z'))).toBe(true);
      expect(await uploads.addPart(partRow('part_a'))).toBe(true);
      expect(await uploads.addPart(partRow('part_z'))).toBe(true);
      expect(await uploads.parts('upload_1')).toEqual([partRow('part_z'), partRow('part_a')]);
    });

    it('takes no part when there is no such upload or it is no longer pending', async () => {
      const { uploads } = subject.store;
      await uploads.insert(uploadRow('upload_1'));
      expect(await uploads.finish('upload_1', 'cancelled', null)).toBe(true);
      expect(await uploads.addPart(partRow('part_1'))).toBe(false);
      expect(await uploads.addPart(partRow('part_2', 'upload_none'))).toBe(false);
      expect(await uploads.parts('upload_1')).toEqual([]);
    });

    it('completes together with its file, once', async () => {
      const { uploads, files } = subject.store;
      await uploads.insert(uploadRow('upload_1'));
      expect(await uploads.complete('upload_1', fileRow('file-1'))).toBe(true);
      expect(await uploads.get('all', 'upload_1')).toMatchObject({ status: 'completed', fileId: 'file-1' });
      expect(await files.get('all', 'file-1')).toEqual(fileRow('file-1'));
      expect(await uploads.complete('upload_1', fileRow('file-2'))).toBe(false);
      expect(await files.get('all', 'file-2')).toBeNull();
      expect(await uploads.finish('upload_1', 'expired', null)).toBe(false);
    });

    it('finds the uploads past their end, and the parts that ended uploads left over', async () => {
      const { uploads } = subject.store;
      await uploads.insert(uploadRow('upload_1', { expiresAt: NOW }));
      await uploads.insert(uploadRow('upload_2', { expiresAt: NOW + 1 }));
      await uploads.addPart(partRow('part_1', 'upload_1'));
      await uploads.addPart(partRow('part_2', 'upload_2'));
      expect((await uploads.expired(NOW, 10)).map((row) => row.id)).toEqual(['upload_1']);
      expect(await uploads.withLeftoverParts(10)).toEqual([]);
      await uploads.finish('upload_1', 'expired', null);
      expect(await uploads.expired(NOW, 10)).toEqual([]);
      expect((await uploads.withLeftoverParts(10)).map((row) => row.id)).toEqual(['upload_1']);
      await uploads.deleteParts('upload_1');
      expect(await uploads.withLeftoverParts(10)).toEqual([]);
      expect(await uploads.parts('upload_2')).toHaveLength(1);
    });
  });
}
