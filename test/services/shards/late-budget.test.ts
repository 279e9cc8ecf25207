/**
 * A budget that is made while a batch runs that is too large for an estimate, at the worst moment: the next provider batch was
 * let through already, and its lines are being written. It, and all that follow, keep to the budget all the same.
 */
import { rm } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { isTerminal } from '../../../src/core/batch-state.ts';
import { createBudget } from '../../../src/services/budgets/create.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, contextOf, openRig, workUntil } from './rig.ts';

const LINES = 16;

it('spends no more than a budget that came later has', async () => {
  const folder = await temporaryFolder();
  const remote = await startOpenAIBatchServer({ job_ms: 0 });
  const openai = { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] };
  const rig = await openRig(folder, {
    providers: { openai: { ...openai, batch: { lines: 4, jobs: 1 } } },
    routes: { native: { provider: 'openai', model: 'gpt-4o-mini', mode: 'batch' } },
    settings: { poll_seconds_min: 1, max_shard_steps: 1 },
  });
  try {
    const { batches } = rig.deps.store;
    const get = batches.get.bind(batches);
    // As of one of more lines than are estimated.
    batches.get = async (...asked) => {
      const row = await get(...asked);
      return row && { ...row, estimate: null };
    };
    const id = await beginBatch(rig.deps, chatLines(LINES), { config: 'native' });
    const row = async () => (await get('all', id))!;
    let before: { spentNano: number; limitNano: number } | null = null;
    const { files } = rig.deps;
    const create = files.create.bind(files);
    files.create = async (key) => {
      const { completed, amountNano } = await row();
      if (before === null && completed > 0 && key.includes('/shards/')) {
        const spentNano = Number(amountNano);
        before = { spentNano, limitNano: Math.ceil((spentNano / completed) * 2) };
        const kind = { period: 'total', timezone: 'UTC', on_insufficient: 'stop' } as const;
        await createBudget(rig.deps, contextOf(rig.deps), { limit_nano_usd: before.limitNano, ...kind });
      }
      return create(key);
    };
    const between = () => rig.advance(30);
    const isEnded = async () => isTerminal((await row()).status);
    expect(await workUntil(rig.deps, isEnded, { between, rounds: 300 })).toBe(true);
    const ended = await row();
    expect(ended.status).toBe('cancelled');
    const { spentNano, limitNano } = before!;
    expect(Number(ended.amountNano) - spentNano).toBeLessThanOrEqual(limitNano);
  } finally {
    await rig.close();
    await remote.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
