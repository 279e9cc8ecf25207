import { describe, expect, it } from 'vitest';
import type { EvalOutputRow, EvalRunRow, EvalStoredRow, EvalTargetRow } from '../../../src/ports/store-evals.ts';
import { batchRow, LATER, NOW, type Subject } from './subject.ts';

function evalRow(id: string, change: Partial<EvalStoredRow> = {}): EvalStoredRow {
  return {
    id,
    tenantId: 'tenant-a',
    keyId: 'key_1',
    name: 'Sums \u{1f600}',
    dataSourceConfig: { type: 'custom', schema: { type: 'object' } },
    testingCriteria: [{ type: 'string_check', name: 'g', operation: 'eq', input: '\ud800', reference: 'x' }],
    metadata: { team: 'blue' },
    createdAt: NOW,
    updatedAt: NOW,
    ...change,
  };
}

function runRow(id: string, change: Partial<EvalRunRow> = {}): EvalRunRow {
  return {
    id,
    evalId: 'eval_1',
    tenantId: 'tenant-a',
    keyId: 'key_1',
    name: 'Run',
    metadata: null,
    dataSource: { type: 'jsonl', source: { type: 'file_content', content: [] } },
    content: [{ item: { deep: deep(1_500) } }],
    completionWindow: 'immediate',
    status: 'queued',
    error: null,
    itemsRead: 0,
    byteOffset: 0,
    createdAt: NOW,
    startedAt: null,
    endedAt: null,
    deletedAt: null,
    ...change,
  };
}

/** Deeper than SQLite reads JSON. */
function deep(levels: number): unknown {
  return JSON.parse(`${'['.repeat(levels)}1${']'.repeat(levels)}`);
}

function targetRow(runId: string, target: number, change: Partial<EvalTargetRow> = {}): EvalTargetRow {
  return {
    runId,
    target,
    name: `t${target}`,
    spec: { model: 'm', completion_window: 'immediate' },
    stage: 'ask',
    error: null,
    cursor: 0,
    batchId: null,
    judgeBatchId: null,
    embeddingBatchId: null,
    otherJudgeBatchIds: [],
    passed: 0,
    failed: 0,
    errored: 0,
    criteria: [],
    usage: [],
    ...change,
  };
}

function outputRow(target: number, item: number, change: Partial<EvalOutputRow> = {}): EvalOutputRow {
  return {
    target,
    item,
    status: 'pending',
    score: null,
    sample: { input: [], output: [{ role: 'assistant', content: 'Hi \ud800' }] } as unknown as EvalOutputRow['sample'],
    subject: { output_text: 'Hi', output_json: deep(1_500) },
    calls: 1,
    answers: null,
    results: [],
    provider: 'p',
    model: 'm',
    latencyMs: 12,
    costNano: null,
    inputTokens: 3,
    outputTokens: 4,
    truncated: false,
    refused: true,
    createdAt: NOW,
    ...change,
  };
}

const claimBy = (token: string, now = NOW) => ({ now, until: now + 30, token, limit: 10 });

export function evalsContract(subject: Subject): void {
  describe('evals', () => {
    it('are seen within their tenant, listed either way by either time, renamed and deleted', async () => {
      const { evals } = subject.store;
      for (const [index, id] of ['eval_1', 'eval_2', 'eval_3'].entries()) {
        const row = evalRow(id, { updatedAt: NOW - index });
        expect(await evals.insert(row)).toEqual(row);
      }
      expect(await evals.insert(evalRow('eval_1', { name: 'again' }))).toEqual(evalRow('eval_1'));
      await evals.insert(evalRow('eval_b', { tenantId: 'tenant-b' }));
      expect(await evals.get({ tenantId: 'tenant-b' }, 'eval_1')).toBeNull();
      const ids = async (query: Partial<Parameters<typeof evals.list>[1]>) =>
        (await evals.list('tenant-a', { limit: 10, ...query }))?.map(({ id }) => id) ?? null;
      expect(await ids({ order: 'asc', limit: 2 })).toEqual(['eval_1', 'eval_2']);
      expect(await ids({ order: 'desc', after: 'eval_3' })).toEqual(['eval_2', 'eval_1']);
      expect(await ids({ order: 'asc', orderBy: 'updated_at', after: 'eval_3' })).toEqual(['eval_2', 'eval_1']);
      expect(await ids({ after: 'eval_b' })).toBeNull();

      const change = { name: 'New', now: NOW + 9 };
      expect(await evals.update('all', 'eval_2', change)).toEqual({
        ...evalRow('eval_2'),
        name: 'New',
        updatedAt: NOW + 9,
      });
      expect((await evals.update('all', 'eval_2', { metadata: null, now: NOW }))?.metadata).toBeNull();
      expect(await evals.update({ tenantId: 'tenant-b' }, 'eval_2', change)).toBeNull();
      expect(await evals.delete({ tenantId: 'tenant-b' }, 'eval_2', NOW)).toBe(false);
      expect(await evals.delete({ tenantId: 'tenant-a' }, 'eval_2', NOW)).toBe(true);
      expect(await evals.get('all', 'eval_2')).toBeNull();
      // A deleted row still tells where a page ended.
      expect(await ids({ order: 'asc', after: 'eval_2' })).toEqual(['eval_3']);
    });

    it('have runs with their targets; lists leave contents out', async () => {
      const { evals } = subject.store;
      const targets = [targetRow('evalrun_1', 0), targetRow('evalrun_1', 1)];
      expect(await evals.insertRun(runRow('evalrun_1'), targets)).toEqual({ run: runRow('evalrun_1'), targets });
      await evals.insertRun(runRow('evalrun_1', { name: 'again' }), [targetRow('evalrun_1', 0, { name: 'again' })]);
      expect(await evals.getRun({ tenantId: 'tenant-a' }, 'eval_1', 'evalrun_1')).toEqual({
        run: runRow('evalrun_1'),
        targets,
      });
      expect(await evals.getRun({ tenantId: 'tenant-b' }, 'eval_1', 'evalrun_1')).toBeNull();
      expect(await evals.getRun('all', 'eval_2', 'evalrun_1')).toBeNull();
      await evals.insertRun(runRow('evalrun_2'), [targetRow('evalrun_2', 0)]);
      const list = await evals.listRuns('eval_1', { limit: 10, order: 'asc' });
      expect(list?.map(({ run, targets: { length } }) => [run.id, length])).toEqual([
        ['evalrun_1', 2],
        ['evalrun_2', 1],
      ]);
      expect(list?.map(({ run }) => run.content)).toEqual([null, null]);
      await evals.cancelRun('all', 'eval_1', 'evalrun_1', NOW + 1);
      const canceled = await evals.listRuns('eval_1', { limit: 10, status: 'canceled' });
      expect(canceled?.map(({ run }) => [run.id, run.endedAt])).toEqual([['evalrun_1', NOW + 1]]);
      expect((await evals.listRuns('eval_1', { limit: 1, order: 'desc', after: 'evalrun_2' }))?.[0]?.run.id).toBe(
        'evalrun_1',
      );
      expect(await evals.listRuns('eval_1', { limit: 1, after: 'evalrun_9' })).toBeNull();
    });

    it('are worked on by one at a time, each step once, and by nobody after a cancel', async () => {
      const { evals, evalWork } = subject.store;
      await evals.insertRun(runRow('evalrun_1'), [targetRow('evalrun_1', 0), targetRow('evalrun_1', 1)]);
      expect((await evalWork.claimDue(claimBy('a'))).map(({ run }) => run.id)).toEqual(['evalrun_1']);
      expect(await evalWork.claimDue(claimBy('b'))).toEqual([]);
      const lease = { runId: 'evalrun_1', token: 'a', itemsRead: 0 };
      const items = [0, 1, 2].map((item) => ({ item, row: { item: { n: item, deep: deep(1_500) } } }));
      expect(await evalWork.addItems({ ...lease, token: 'b' }, items, 9)).toBe(false);
      expect(await evalWork.addItems(lease, items, 9)).toBe(true);
      expect(await evalWork.addItems(lease, items, 9)).toBe(false);
      expect(await evals.items('evalrun_1', 1, 10)).toEqual(items.slice(1));
      expect(await evalWork.begin('evalrun_1', 'a', NOW)).toBe(true);

      const from = { stage: 'ask', cursor: 0 } as const;
      const step = { runId: 'evalrun_1', token: 'a', target: 1, from };
      const outputs = [outputRow(1, 0), outputRow(1, 2)];
      expect(await evalWork.step({ ...step, to: { stage: 'collect', cursor: 5 }, outputs })).toBe(true);
      expect(await evalWork.step({ ...step, to: { stage: 'collect', cursor: 5 }, outputs })).toBe(false);
      const answers = [{ item: 2, answers: { 0: { body: { a: 1 } } } }];
      const graded = { status: 'pass', score: 0.5, results: [{ name: 'g' }] as never } as const;
      expect(
        await evalWork.step({
          ...step,
          from: { stage: 'collect', cursor: 5 },
          to: { stage: 'grade', cursor: 0, passed: 1 },
          answers,
        }),
      ).toBe(true);
      const [first, second] = await evals.outputs('evalrun_1', { limit: 10 });
      expect(first).toEqual({ ...outputRow(1, 0), row: items[0]?.row });
      expect(second?.answers).toEqual({ 0: { body: { a: 1 } } });
      expect(
        await evalWork.step({
          ...step,
          from: { stage: 'grade', cursor: 0 },
          to: { stage: 'done', error: { code: 'x', message: 'y' }, usage: [{ model_name: 'm' }] as never },
          grades: [{ item: 2, ...graded }],
        }),
      ).toBe(true);
      const passed = await evals.outputs('evalrun_1', { status: 'pass', target: 1, limit: 10 });
      expect(passed).toMatchObject([{ item: 2, ...graded, answers: null }]);
      expect(
        (await evals.outputs('evalrun_1', { order: 'desc', after: { target: 1, item: 2 }, limit: 10 })).map(
          ({ item }) => item,
        ),
      ).toEqual([0]);
      expect(
        (await evals.outputs('evalrun_1', { after: { target: 1, item: 0 }, limit: 1 })).map(({ item }) => item),
      ).toEqual([2]);
      expect((await evals.getRun('all', 'eval_1', 'evalrun_1'))?.targets[1]).toMatchObject({
        stage: 'done',
        passed: 1,
        error: { code: 'x' },
      });

      expect((await evals.cancelRun('all', 'eval_1', 'evalrun_1', NOW))?.run.status).toBe('canceled');
      expect(await evalWork.step({ ...step, target: 0, to: { stage: 'sampling' } })).toBe(false);
      expect(await evalWork.end('evalrun_1', 'a', { status: 'completed', error: null, now: NOW })).toBe(false);
      await evalWork.release('evalrun_1', 'a', NOW + 5);
      expect(await evalWork.claimDue(claimBy('b'))).toEqual([]);
      expect(await evalWork.claimDue(claimBy('b', NOW + 5))).toHaveLength(1);
      await evalWork.close('evalrun_1', 'b');
      expect(await evalWork.claimDue(claimBy('c', LATER))).toEqual([]);
      expect((await evals.getRun('all', 'eval_1', 'evalrun_1'))?.targets).toHaveLength(2);
    });

    it('give the figures of a target in order, and the items that some passed and others did not', async () => {
      const { evals, evalWork } = subject.store;
      await evals.insertRun(runRow('evalrun_1'), [targetRow('evalrun_1', 0), targetRow('evalrun_1', 1)]);
      await evalWork.claimDue(claimBy('a'));
      const lost = { ...outputRow(0, 0).sample, error: { code: 'c', message: 'm' } };
      const statuses = [
        ['pass', 'fail', 'pass', 'pass', 'fail'],
        ['fail', 'fail', 'error', 'error', 'pass'],
      ] as const;
      for (const [target, list] of statuses.entries()) {
        // The fourth item of the second target got no answer; the third could not be graded.
        const outputs = list.map((status, item) =>
          outputRow(target, item, { status, ...(target === 1 && item === 3 && { sample: lost }) }),
        );
        const step = { runId: 'evalrun_1', token: 'a', target, from: { stage: 'ask', cursor: 0 } } as const;
        expect(await evalWork.step({ ...step, to: {}, outputs })).toBe(true);
      }
      const query = { target: 1, after: 1, limit: 2, withSubject: true };
      const figures = await evals.figures('evalrun_1', query);
      expect(figures.map(({ item, status, answered, latencyMs }) => [item, status, answered, latencyMs])).toEqual([
        [2, 'error', true, 12],
        [3, 'error', false, 12],
      ]);
      expect(figures[0]?.subject).toEqual(outputRow(1, 2).subject);
      expect((await evals.figures('evalrun_1', { ...query, withSubject: false }))[0]?.subject).toBeNull();
      expect(await evals.differing('evalrun_1', { after: -1, limit: 2 })).toEqual([0, 3]);
      expect(await evals.differing('evalrun_1', { after: 3, limit: 2 })).toEqual([4]);
    });

    it('wait for their batches, and no longer', async () => {
      const { evals, evalWork, batches } = subject.store;
      await batches.insert(batchRow('batch_1'));
      await batches.insert(batchRow('batch_2', { status: 'completed' }));
      await evals.insertRun(runRow('evalrun_1', { status: 'in_progress' }), [
        targetRow('evalrun_1', 0, { stage: 'sampling', batchId: 'batch_1' }),
        targetRow('evalrun_1', 1, { stage: 'done' }),
      ]);
      await evals.insertRun(runRow('evalrun_2', { status: 'in_progress' }), [
        targetRow('evalrun_2', 0, { stage: 'judging', batchId: 'batch_1', judgeBatchId: 'batch_2' }),
      ]);
      await evals.insertRun(runRow('evalrun_3', { status: 'in_progress' }), [
        targetRow('evalrun_3', 0, { stage: 'done' }),
      ]);
      const ids = async (token: string, now: number) =>
        (await evalWork.claimDue(claimBy(token, now))).map(({ run }) => run.id);
      expect(await ids('a', NOW)).toEqual(['evalrun_2', 'evalrun_3']);
      expect(
        await evalWork.end('evalrun_3', 'a', { status: 'failed', error: { code: 'c', message: 'm' }, now: NOW }),
      ).toBe(true);
      await evalWork.renew(['evalrun_2'], 'a', LATER);
      expect(await ids('b', NOW + 60)).toEqual([]);
      await batches.cancel('all', 'batch_1', NOW);
      await batches.claimDue({ now: NOW, until: LATER, token: 't', limit: 1 });
      await batches.finish('batch_1', 't', {
        now: NOW,
        status: 'cancelled',
        completed: 0,
        failed: 0,
        outputFile: null,
        errorFile: null,
      });
      expect(await ids('b', NOW + 60)).toEqual(['evalrun_1']);
      await evalWork.recover({ others: 'c' });
      expect((await ids('c', NOW + 60)).toSorted()).toEqual(['evalrun_1', 'evalrun_2']);
    });

    it('tell how they ended, once, in the write that ends them', async () => {
      const { evals, evalWork, webhooks } = subject.store;
      const eventTypes = ['eval.run.succeeded', 'eval.run.canceled'] as const;
      const hook = {
        id: 'whe_1',
        tenantId: 'tenant-a',
        keyId: null,
        name: '',
        url: 'https://hooks.example/',
        secret: 's',
      };
      const never = { previousSecret: null, previousUntil: null, disabledAt: null, disabledReason: null };
      await webhooks.insert({ ...hook, ...never, eventTypes: [...eventTypes], createdAt: NOW, updatedAt: NOW }, 5);
      for (const id of ['evalrun_1', 'evalrun_2', 'evalrun_3']) {
        await evals.insertRun(runRow(id, { status: 'in_progress' }), [targetRow(id, 0, { stage: 'done' })]);
      }
      await evalWork.claimDue(claimBy('a'));
      const end = { error: null, now: NOW + 2 };
      expect(await evalWork.end('evalrun_1', 'b', { ...end, status: 'completed' })).toBe(false);
      expect(await webhooks.deliveries('whe_1', { limit: 10 })).toEqual([]);
      expect(await evalWork.end('evalrun_1', 'a', { ...end, status: 'completed' })).toBe(true);
      expect(await evalWork.end('evalrun_1', 'a', { ...end, status: 'completed' })).toBe(false);
      expect(await evalWork.end('evalrun_2', 'a', { ...end, status: 'failed' })).toBe(true);
      await evals.cancelRun('all', 'eval_1', 'evalrun_3', NOW + 3);
      await evals.cancelRun('all', 'eval_1', 'evalrun_3', NOW + 4);
      const told = await webhooks.deliveries('whe_1', { limit: 10, order: 'asc' });
      expect(told?.map(({ type, data, eventAt }) => [type, data, eventAt])).toEqual([
        ['eval.run.succeeded', { id: 'evalrun_1' }, NOW + 2],
        ['eval.run.canceled', { id: 'evalrun_3' }, NOW + 3],
      ]);
    });

    it('leave nothing behind but ids when they are deleted', async () => {
      const { evals, evalWork } = subject.store;
      await evals.insert(evalRow('eval_1'));
      await evals.insertRun(runRow('evalrun_1'), [targetRow('evalrun_1', 0)]);
      await evals.insertRun(runRow('evalrun_2', { status: 'completed' }), [targetRow('evalrun_2', 0)]);
      await evalWork.claimDue(claimBy('a'));
      const items = [0, 1, 2].map((item) => ({ item, row: { item: { n: item } } }));
      await evalWork.addItems({ runId: 'evalrun_1', token: 'a', itemsRead: 0 }, items, 0);
      const step = { runId: 'evalrun_1', token: 'a', target: 0, from: { stage: 'ask', cursor: 0 } } as const;
      expect(await evalWork.step({ ...step, to: {}, outputs: [outputRow(0, 0), outputRow(0, 1)] })).toBe(true);
      expect(await evals.deleteRun({ tenantId: 'tenant-b' }, 'eval_1', 'evalrun_2', NOW)).toBe(false);
      expect(await evals.deleteRun({ tenantId: 'tenant-a' }, 'eval_1', 'evalrun_2', NOW)).toBe(true);
      expect(await evals.deleteRun({ tenantId: 'tenant-a' }, 'eval_1', 'evalrun_2', NOW)).toBe(false);
      expect(await evals.delete('all', 'eval_1', NOW)).toBe(true);
      expect(await evals.getRun('all', 'eval_1', 'evalrun_1')).toBeNull();
      const gone = await evalWork.claimDue(claimBy('b', LATER));
      expect(gone.map(({ run }) => [run.id, run.status, run.deletedAt])).toEqual([
        ['evalrun_1', 'canceled', NOW],
        ['evalrun_2', 'completed', NOW],
      ]);
      expect(await evalWork.purge('evalrun_1', 2)).toBe(true);
      expect(await evalWork.purge('evalrun_1', 2)).toBe(true);
      expect(await evalWork.purge('evalrun_1', 2)).toBe(false);
      expect(await evals.items('evalrun_1', 0, 10)).toEqual([]);
      expect(await evals.outputs('evalrun_1', { limit: 10 })).toEqual([]);
      for (const { run } of gone) await evalWork.close(run.id, 'b');
      expect(await evalWork.claimDue(claimBy('c', LATER + 600))).toEqual([]);
    });
  });
}
