import { expect, it } from 'vitest';
import { collectAnswers } from '../../../src/services/autobatch/collect.ts';
import { batchRow, fileRow, NOW } from '../../contract/store/subject.ts';
import { openHarness } from '../../http/harness.ts';

it('answers calls whose results are deleted before they were taken in', async () => {
  const { deps, close } = await openHarness();
  try {
    const { store } = deps;
    const calls = ['call_1', 'call_2'];
    for (const id of calls) {
      await store.parkedCalls.insert({
        ...{ id, tenantId: 'tenant-a', keyId: null, dedupe: id, named: false, fingerprint: id, groupKey: 'kind' },
        ...{ endpoint: '/v1/chat/completions', config: null, window: 'immediate', metadata: null, body: '{}' },
        ...{ createdAt: NOW, groupId: 'group_1', batchId: 'batch_1', status: null, answer: null, deliveredAt: null },
      });
    }
    await store.files.insert(fileRow('file-errors', { deletedAt: NOW + 1 }));
    const ended = { status: 'completed' as const, errorFileId: 'file-errors', total: 2, failed: 2 };
    await store.batches.insert(batchRow('batch_1', ended));
    const group = { groupId: 'group_1', batchId: 'batch_1' };
    const collected = await collectAnswers(deps, group, null, new AbortController().signal);
    expect(collected).toMatchObject({ ids: calls, ended: true });
    const answered = await store.parkedCalls.ofGroup('group_1');
    expect(answered.map(({ status }) => status)).toEqual([502, 502]);
    expect(answered[0]?.answer).toContain('results_gone');
    expect(await store.parkedCalls.openGroups()).toEqual([]);
  } finally {
    await close();
  }
});
