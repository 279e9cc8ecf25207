import { describe, expect, it } from 'vitest';
import type { ParkedCallRow } from '../../../src/ports/store-parked-calls.ts';
import { batchRow, NOW, type Subject } from './subject.ts';

function parked(id: string, change: Partial<ParkedCallRow> = {}): ParkedCallRow {
  return {
    id,
    tenantId: 'tenant-a',
    keyId: 'key_1',
    dedupe: 'same',
    named: false,
    fingerprint: 'same',
    groupKey: 'kind',
    endpoint: '/v1/chat/completions',
    config: { provider: 'p' },
    window: '24h',
    metadata: { team: 'blue' },
    body: '{"model":"m"}',
    createdAt: NOW,
    groupId: null,
    batchId: null,
    status: null,
    answer: null,
    deliveredAt: null,
    ...change,
  };
}

export function parkedCallsContract(subject: Subject): void {
  describe('parked calls', () => {
    it('are found by what was asked, within their tenant, until they are delivered', async () => {
      const { parkedCalls } = subject.store;
      expect(await parkedCalls.insert(parked('call_1'))).toBe(true);
      expect(await parkedCalls.insert(parked('call_2', { config: null, metadata: null }))).toBe(true);
      await parkedCalls.insert(parked('call_3', { tenantId: 'tenant-b' }));
      expect(await parkedCalls.find('tenant-a', 'same', NOW + 1)).toEqual([
        parked('call_1'),
        parked('call_2', { config: null, metadata: null }),
      ]);
      await parkedCalls.deliver('call_1', NOW + 5);
      await parkedCalls.deliver('call_1', NOW + 9);
      expect((await parkedCalls.find('tenant-a', 'same', NOW + 6)).map(({ id }) => id)).toEqual(['call_2']);
      expect((await parkedCalls.find('tenant-a', 'same', NOW + 5)).map(({ id }) => id)).toEqual(['call_1', 'call_2']);
      expect(await parkedCalls.get({ tenantId: 'tenant-b' }, 'call_1')).toBeNull();
      expect((await parkedCalls.get('all', 'call_1'))?.deliveredAt).toBe(NOW + 5);
    });

    it('are one for each key of the client', async () => {
      const { parkedCalls } = subject.store;
      expect(await parkedCalls.insert(parked('call_1', { named: true }))).toBe(true);
      expect(await parkedCalls.insert(parked('call_2', { named: true }))).toBe(false);
      expect(await parkedCalls.insert(parked('call_3', { named: true, tenantId: 'tenant-b' }))).toBe(true);
      expect(await parkedCalls.get('all', 'call_2')).toBeNull();
    });

    it('go into groups, oldest first, and keep the first answer they get', async () => {
      const { batches, parkedCalls } = subject.store;
      for (const [index, id] of ['call_1', 'call_2', 'call_3'].entries()) {
        await parkedCalls.insert(parked(id, { createdAt: NOW - index }));
      }
      expect(await parkedCalls.waiting()).toEqual([{ groupKey: 'kind', calls: 3, bytes: 39, oldest: NOW - 2 }]);
      expect(await parkedCalls.take('kind', 'group_1', 2)).toBe(2);
      expect(await parkedCalls.take('kind', 'group_2', 2)).toBe(1);
      expect((await parkedCalls.ofGroup('group_1')).map(({ id }) => id)).toEqual(['call_2', 'call_3']);
      await parkedCalls.setBatch('group_1', 'batch_1');
      expect((await parkedCalls.openGroups()).toSorted((a, b) => (a.groupId < b.groupId ? -1 : 1))).toEqual([
        { groupId: 'group_1', batchId: 'batch_1' },
        { groupId: 'group_2', batchId: null },
      ]);
      const answer = { id: 'call_1', status: 200, answer: '{"n":1}' };
      await parkedCalls.answer([answer]);
      await parkedCalls.answer([{ ...answer, status: 502, answer: '{}' }]);
      expect(await parkedCalls.get('all', 'call_1')).toMatchObject({ status: 200, answer: '{"n":1}' });
      expect(await parkedCalls.openGroups()).toEqual([{ groupId: 'group_1', batchId: 'batch_1' }]);
      expect(await parkedCalls.answered(['call_1', 'call_2', 'call_9'])).toEqual(['call_1']);
      // Its batch took as long as it might: the answer is kept from the batch's end on.
      await parkedCalls.setBatch('group_2', 'batch_2');
      await batches.insert(batchRow('batch_2', { status: 'completed', completedAt: NOW + 86_400 }));
      await parkedCalls.deleteAnsweredBefore(NOW + 86_400);
      expect(await parkedCalls.get('all', 'call_1')).not.toBeNull();
      await parkedCalls.deleteAnsweredBefore(NOW + 86_401);
      expect(await parkedCalls.get('all', 'call_1')).toBeNull();
      expect(await parkedCalls.get('all', 'call_2')).not.toBeNull();
    });
  });
}
