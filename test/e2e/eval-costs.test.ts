import { afterEach, expect, it } from 'vitest';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { EvalComparison } from '../../src/protocol/eval-comparison.ts';
import type { EvalRunObject } from '../../src/protocol/eval-run.ts';
import { type Pools, startPools, startWeir, type Weir } from './weir.ts';

const MODEL = 'unheard-of';
const ITEMS = 12;

let pools: Pools;
let weir: Weir;

afterEach(async () => {
  await weir?.stop();
  await pools?.stop();
});

/** What a run, its comparison and its items say that its one target cost: in all, and how many items have no price. */
async function toldCosts(evalId: string, runId: string) {
  const at = `/v1/evals/${evalId}/runs/${runId}`;
  const run = await weir.call<EvalRunObject>(at);
  const comparison = await weir.call<EvalComparison>(`${at}/comparison`);
  const { data } = await weir.call<{ data: { weir: { cost_nano_usd: number | null } }[] }>(
    `${at}/output_items?limit=${ITEMS}`,
  );
  const batch = await weir.call<BatchObject>(`/v1/batches/${run.targets[0]?.batch_id}`);
  const costs = data.map((item) => item.weir.cost_nano_usd);
  return {
    batch: batch.cost.amount_nano_usd,
    run: run.targets[0]?.cost?.amount_nano_usd,
    comparison: comparison.targets[0]?.cost.amount_nano_usd,
    items: costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0),
    unpriced: costs.filter((cost) => cost === null).length,
  };
}

/** An eval of a few items by `model`, run to its end `times` times; answers the ids. */
async function runEval(model: string, times = 1): Promise<{ evalId: string; runIds: string[] }> {
  const { evals } = weir.client;
  const made = await evals.create({
    data_source_config: { type: 'custom', item_schema: { type: 'object' }, include_sample_schema: true },
    testing_criteria: [
      { type: 'string_check', name: 'says', input: '{{sample.output_text}}', reference: '', operation: 'ne' },
    ],
  });
  const content = Array.from({ length: ITEMS }, (_none, n) => ({ item: { n: `What is ${n}?` } }));
  const input_messages = { type: 'template' as const, template: [{ role: 'user' as const, content: '{{item.n}}' }] };
  const source = { type: 'file_content' as const, content };
  const runIds: string[] = [];
  while (runIds.length < times) {
    const { id } = await evals.runs.create(made.id, {
      data_source: { type: 'completions', model, source, input_messages },
    });
    const status = async () => (await evals.runs.retrieve(id, { eval_id: made.id })).status;
    await expect.poll(status, { timeout: 25_000, interval: 50 }).toBe('completed');
    runIds.push(id);
  }
  return { evalId: made.id, runIds };
}

it('an eval’s figures follow the ledger: its answers cost what corrections have made of them', async () => {
  pools = await startPools([{ models: [MODEL] }]);
  const pool = { kind: 'openai', base_url: pools.servers[0]?.baseUrl, api_key: 'sk-x', models: [MODEL] };
  weir = await startWeir({ providers: { pool } });
  const { evalId, runIds } = await runEval(`pool/${MODEL}`);
  const id = runIds[0] ?? '';
  expect(await toldCosts(evalId, id)).toEqual({ batch: 0, run: 0, comparison: null, items: 0, unpriced: ITEMS });

  const price = { provider: 'openai', model: MODEL, from: '2020-01-01', standard: { input: '0.1', output: '0.4' } };
  await weir.call('/v1/prices', { method: 'POST', body: JSON.stringify(price) });
  const why = { reason: 'the price came late', dry_run: false };
  await weir.call('/v1/ledger/adjustments', { method: 'POST', body: JSON.stringify(why) });
  const { batch, ...told } = await toldCosts(evalId, id);
  expect(batch).toBeGreaterThan(0);
  expect(told).toEqual({ run: batch, comparison: batch, items: batch, unpriced: 0 });
});

it('an eval’s answers from the cache have no time of their own: they would make their target look fast', async () => {
  pools = await startPools([{ models: [MODEL], latency_ms: 20 }]);
  const pool = {
    kind: 'vllm',
    base_urls: [pools.servers[0]?.baseUrl],
    models: [MODEL],
    price: { input: 1, output: 2 },
  };
  const kept = { provider: 'pool', model: MODEL, cache: { mode: 'simple', max_age: 3600 } };
  weir = await startWeir({ providers: { pool }, routes: { kept } });
  const { evalId, runIds } = await runEval('kept', 2);
  const figures = await Promise.all(
    runIds.map((id) => weir.call<EvalComparison>(`/v1/evals/${evalId}/runs/${id}/comparison`)),
  );
  const [first, again] = figures.map(({ targets }) => targets[0]);
  expect(first?.latency_ms.timed).toBe(ITEMS);
  expect(first?.latency_ms.p50).toBeGreaterThanOrEqual(20);
  expect(again?.cost.amount_nano_usd).toBe(0);
  expect(again?.latency_ms).toEqual({ p50: null, p90: null, timed: 0 });
});
