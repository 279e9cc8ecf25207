import { describe, expect, it } from 'vitest';
import { custom, evalServer, template } from './eval-server.ts';
import { assertInvariants } from './invariants.ts';
import { startPools, startWeir } from './weir.ts';

describe('evals over any provider', () => {
  const at = evalServer();

  it('stops what is cancelled, and leaves nothing of what is deleted', async () => {
    at.pools = await startPools([{ models: ['m'], latency_ms: 60_000 }]);
    at.weir = await startWeir({
      providers: {
        a: { kind: 'vllm', base_urls: [at.pools.servers[0]?.baseUrl], models: ['m'], price: { input: 1, output: 2 } },
      },
      settings: { drain_seconds: 1 },
    });
    const { evals } = at.weir.client;
    const made = await evals.create({
      data_source_config: custom,
      testing_criteria: [{ type: 'string_check', name: 'n', input: '', reference: '', operation: 'eq' }],
    });
    const source = { type: 'file_content' as const, content: [{ item: { question: 'a', answer: 'b' } }] };
    const data_source = { type: 'completions' as const, source, input_messages: template, model: 'a/m' };
    const run = await evals.runs.create(made.id, { data_source });
    await expect.poll(async () => (await at.weir.client.batches.list()).data.length).toBe(1);
    await expect.poll(() => at.pools.servers[0]?.counters.received).toBe(1);
    expect((await evals.runs.cancel(run.id, { eval_id: made.id })).status).toBe('canceled');
    expect((await evals.runs.cancel(run.id, { eval_id: made.id })).status).toBe('canceled');
    await expect
      .poll(async () => (await at.weir.client.batches.list()).data[0]?.status, { timeout: 20_000 })
      .toBe('cancelled');
    const [batch] = (await at.weir.client.batches.list()).data;
    await assertInvariants(
      at.weir,
      batch?.id ?? '',
      await (await at.weir.client.files.content(batch?.input_file_id ?? '')).text(),
    );
    expect(await evals.runs.delete(run.id, { eval_id: made.id })).toEqual({
      object: 'eval.run.deleted',
      deleted: true,
      run_id: run.id,
    });
    await expect.poll(async () => (await at.weir.client.files.list()).data.length, { timeout: 10_000 }).toBe(0);
    expect(await evals.delete(made.id)).toMatchObject({ object: 'eval.deleted', deleted: true, eval_id: made.id });
    expect((await evals.list()).data).toEqual([]);
  }, 60_000);
});
