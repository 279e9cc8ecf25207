/** A budget that is made while a batch waits that is too large for an estimate: its provider batches keep to it all the same. */
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
  const remote = await startOpenAIBatchServer({ job_ms: 0, stop_at: 0 });
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
    const between = () => rig.advance(30);
    expect(await workUntil(rig.deps, () => remote.counters.batches_created === 1, { between })).toBe(true);
    remote.configure({ stop_at: null, faults: [{ on: 'create', fault: 'quota', times: null }] });
    expect(await workUntil(rig.deps, async () => (await row()).completed > 0, { between })).toBe(true);
    const spentNano = Number((await row()).amountNano);
    const limitNano = Math.ceil((spentNano / (await row()).completed) * 6);
    const input = { limit_nano_usd: limitNano, period: 'total', timezone: 'UTC', on_insufficient: 'stop' } as const;
    await createBudget(rig.deps, contextOf(rig.deps), input);
    remote.configure({ faults: [] });
    const isEnded = async () => isTerminal((await row()).status);
    expect(await workUntil(rig.deps, isEnded, { between, rounds: 300 })).toBe(true);
    const ended = await row();
    expect(ended.status).toBe('cancelled');
    expect(Number(ended.amountNano) - spentNano).toBeLessThanOrEqual(limitNano);
  } finally {
    await rig.close();
    await remote.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
