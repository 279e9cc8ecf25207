/**
 * Kills the process before and after every write of an eval run's life, one point at a time, starts it anew, and asks for
 * the same outcome each time: one batch of answers and one of judges, each request paid once, every item graded alike.
 */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { evalRunCreateSchema } from '../../../src/protocol/eval-run.ts';
import { createEval } from '../../../src/services/evals/create.ts';
import { createRun } from '../../../src/services/evals/create-run.ts';
import { EvalRunner } from '../../../src/services/evals/work/runner.ts';
import { ShardRunner } from '../../../src/services/shards/run.ts';
import { temporaryFolder } from '../../e2e/weir.ts';
import { Mortality } from '../mortality.ts';
import { contextOf, openRig, type Rig, workUntil } from '../shards/rig.ts';

const ITEMS = 3;

describe('an eval run whose process dies', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  function open(remote: SimulatedBatchServer, name: string): Promise<Rig> {
    const models = ['gpt-4o-mini', 'gpt-4o'];
    return openRig(`${folder}/${name}`, {
      providers: { openai: { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models } },
      settings: { poll_seconds_min: 0 },
    });
  }

  async function begin({ deps }: Rig): Promise<{ evalId: string; id: string }> {
    const context = contextOf(deps);
    const { id: evalId } = await createEval(deps, context, {
      data_source_config: { type: 'custom', item_schema: { type: 'object' } },
      testing_criteria: [
        { type: 'contains', name: 'vowel', input: '{{sample.output_text}}', reference: ['the', 'river'], match: 'any' },
        {
          type: 'score_model',
          name: 'judge',
          model: 'gpt-4o',
          input: [{ role: 'user', content: '{{sample.output_text}}' }],
        },
      ],
    });
    const input = evalRunCreateSchema.parse({
      completion_window: '24h',
      data_source: {
        type: 'completions',
        source: { type: 'file_content', content: Array.from({ length: ITEMS }, (_, n) => ({ item: { n } })) },
        input_messages: { type: 'template', template: [{ role: 'user', content: 'Item {{item.n}}' }] },
        model: 'gpt-4o-mini',
      },
    });
    const { id } = await createRun(deps, context, evalId, input, 'http://weir');
    return { evalId, id };
  }

  function mortal(deps: Deps, mortality: Mortality): Deps {
    return {
      ...deps,
      files: mortality.wrap(deps.files, []),
      store: {
        ...deps.store,
        evals: mortality.wrap(deps.store.evals, []),
        evalWork: mortality.wrap(deps.store.evalWork, ['addItems', 'begin', 'step', 'end']),
        batches: mortality.wrap(deps.store.batches, ['insert']),
        files: mortality.wrap(deps.store.files, ['insert']),
      },
    };
  }

  /** Works until the run has ended or the process dies. */
  async function work(
    deps: Deps,
    { evalId, id }: { evalId: string; id: string },
    isDead: () => boolean,
  ): Promise<void> {
    const [evals, shards] = [new EvalRunner(deps), new ShardRunner(deps)];
    const runner = {
      wake: async () => {
        await shards.wake().catch(() => 0);
        await evals.wake().catch(() => 0);
      },
      idle: async () => {
        await shards.idle();
        await evals.idle();
      },
    };
    const isDone = async () =>
      isDead() || (await deps.store.evals.getRun('all', evalId, id))?.run.status === 'completed';
    await workUntil(deps, isDone, { runner, rounds: 100 });
  }

  async function outcome({ deps }: Rig, { evalId, id }: { evalId: string; id: string }) {
    const found = await deps.store.evals.getRun('all', evalId, id);
    const outputs = await deps.store.evals.outputs(id, { limit: 100 });
    const target = found?.targets[0];
    const batches = await Promise.all(
      [target?.batchId, target?.judgeBatchId].map(async (each) => deps.store.batches.get('all', each ?? '')),
    );
    return {
      status: found?.run.status,
      items: found?.run.itemsRead,
      criteria: target?.criteria,
      usage: target?.usage,
      counts: [target?.passed, target?.failed, target?.errored],
      outputs: outputs.map(({ item, status, results, row }) => ({ item, status, results, row })),
      batches: batches.map((batch) => [batch?.completed, batch?.entries]),
      all: (await deps.store.batches.list('all', { limit: 10 }))?.length,
    };
  }

  async function liveAndDie(at: number): Promise<{ dead: boolean; outcome: Awaited<ReturnType<typeof outcome>> }> {
    const remote = await startOpenAIBatchServer();
    const first = await open(remote, `run-${at}`);
    const run = await begin(first);
    const mortality = new Mortality(at);
    await work(mortal(first.deps, mortality), run, () => mortality.dead);
    await first.leave();
    const second = await open(remote, `run-${at}`);
    try {
      // Leases of the dead are not given back.
      if (mortality.dead) second.advance(120);
      await work(second.deps, run, () => false);
      expect(remote.counters.batches_created, `provider batches, killed at half-step ${at}`).toBe(2);
      return { dead: mortality.dead, outcome: await outcome(second, run) };
    } finally {
      await second.close();
      await remote.stop();
    }
  }

  it('ends with the same grades and the same two batches, wherever it dies', async () => {
    const { outcome: whole } = await liveAndDie(Number.MAX_SAFE_INTEGER);
    expect(whole).toMatchObject({
      status: 'completed',
      items: ITEMS,
      batches: [
        [ITEMS, ITEMS],
        [ITEMS, ITEMS],
      ],
      all: 2,
      // The simulated judge answers in a form of its own.
      counts: [0, 0, ITEMS],
    });
    expect(whole.outputs.every(({ results }) => results[1]?.error?.code === 'judge_unreadable')).toBe(true);
    let points = 0;
    for (; ; points += 1) {
      const { dead, outcome: found } = await liveAndDie(points);
      expect(found, `killed at half-step ${points}`).toEqual(whole);
      if (!dead) break;
    }
    expect(points).toBeGreaterThan(20);
  }, 180_000);
});
