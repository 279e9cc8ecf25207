import { rm } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { BatchRunner } from '../../../src/services/batches/run.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, openRig } from '../shards/rig.ts';

it('a batch goes on while its estimate is made, which is kept when it comes', async () => {
  const folder = await temporaryFolder();
  const rig = await openRig(folder, {
    providers: { pool: { kind: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1', models: ['gpt-4o-mini'] } },
    routes: { pool: { provider: 'pool', model: 'gpt-4o-mini' } },
  });
  try {
    const counted = Promise.withResolvers<number>();
    const tokenizer = { name: 'slow', count: () => counted.promise };
    const deps = { ...rig.deps, tokenizers: { forModel: () => tokenizer } };
    const id = await beginBatch(deps, chatLines(1), { config: 'pool', completion_window: 'immediate' });
    const row = async () => (await deps.store.batches.get('all', id))!;
    const released: string[] = [];
    const { release } = deps.store.batches;
    deps.store.batches.release = (...asked) => {
      released.push(asked[0]);
      return release.apply(deps.store.batches, asked);
    };
    const runner = new BatchRunner(deps);
    await runner.wake();
    // Given back: its lines' end would be seen.
    await expect.poll(() => released, { timeout: 10_000 }).toEqual([id]);
    expect((await row()).status).toBe('in_progress');
    expect((await row()).estimate ?? null).toBeNull();
    counted.resolve(7);
    await runner.idle();
    expect((await row()).estimate?.inputTokens).toBeGreaterThanOrEqual(7);
  } finally {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  }
});
