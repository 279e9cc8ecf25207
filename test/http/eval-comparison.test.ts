import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvalChoice } from '../../src/protocol/eval-choice.ts';
import type { EvalComparedItem } from '../../src/protocol/eval-compared-item.ts';
import type { EvalComparison } from '../../src/protocol/eval-comparison.ts';
import type { Page } from '../../src/protocol/page.ts';
import { makeProvider } from '../services/model-server.ts';
import { type SeededTarget, seedEvalRun } from '../services/seed-eval-run.ts';
import { type Harness, openHarness } from './harness.ts';

let harness: Harness;
let other: string;
let runs = 0;

beforeAll(async () => {
  const providers = new Map(
    ['good', 'cheap'].map((name) => makeProvider(name, { kind: 'sandbox', models: [`${name}-model`] })),
  );
  harness = await openHarness({ providers, configRoutes: new Map([['fixed', { provider: 'good' }]]) });
  other = (await harness.makeKey({ role: 'user', tenant_id: 'tenant-b' })).secret;
});
afterAll(() => harness.close());

/** Seeds a run of its own and gives its address. */
async function seed(targets: readonly SeededTarget[], more: { isRunning?: boolean } = {}): Promise<string> {
  runs += 1;
  const runId = `evalrun_${runs}`;
  await seedEvalRun(harness.deps.store, {
    evalId: 'eval_1',
    runId,
    tenantId: 'default',
    createdAt: 1_790_000_000 + runs,
    targets,
    ...more,
  });
  return `/v1/evals/eval_1/runs/${runId}`;
}

async function get<T>(path: string): Promise<T> {
  const answer = await harness.send('GET', path);
  expect(answer.status).toBe(200);
  return (await answer.json()) as T;
}

describe('GET /v1/evals/{id}/runs/{run}/comparison', () => {
  it('compares what the targets of a run made of its items', async () => {
    const path = await seed([
      { name: 'good', verdicts: '1111111110', costNano: 3_000 },
      { name: 'cheap', verdicts: '1111111000', costNano: 1_000 },
      { name: 'poor', verdicts: '11111100!?', costNano: null },
    ]);
    const comparison = await get<EvalComparison>(`${path}/comparison?seed=5&resamples=300`);
    expect(comparison).toMatchObject({ object: 'eval.comparison', eval_id: 'eval_1', status: 'completed', items: 10 });
    expect(comparison.intervals).toMatchObject({ seed: 5, resamples: 300, confidence: 0.95 });
    expect(comparison.targets.map(({ pass_rate, cost }) => [pass_rate.value, cost.per_accepted_nano_usd])).toEqual([
      [0.9, 3_333],
      [0.7, 1_429],
      [6 / 9, null],
    ]);
    expect(comparison.targets[0]?.latency_ms).toEqual({ p50: 104, p90: 108, timed: 10 });
    expect(comparison.targets[2]).toMatchObject({ answered: 9, graded: 9, error_rate: 0.1, on_frontier: null });
    expect(comparison.frontier).toEqual(['cheap', 'good']);
    expect(comparison.differing).toEqual({ count: 3, items: [6, 7, 8] });
    expect(await get(`${path}/comparison?seed=5&resamples=300`)).toEqual(comparison);
    const csv = await harness.send('GET', `${path}/comparison?format=csv`);
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect((await csv.text()).split('\r\n')).toHaveLength(5);
  });

  it('of a run that goes on is of the items that all targets are graded on, and names targets that failed', async () => {
    const running = await seed(
      [
        { name: 'ahead', verdicts: '1111' },
        { name: 'behind', verdicts: '10 ' },
      ],
      { isRunning: true },
    );
    expect(await get(`${running}/comparison`)).toMatchObject({ status: 'in_progress', items: 2 });
    const failed = await seed([
      { name: 'fine', verdicts: '11' },
      { name: 'gone', verdicts: '', error: { code: 'model_not_found', message: 'No such model.' } },
    ]);
    const comparison = await get<EvalComparison>(`${failed}/comparison`);
    expect(comparison.targets.map(({ target }) => target)).toEqual(['fine']);
    expect(comparison.failed_targets).toEqual([{ target: 'gone', code: 'model_not_found', message: 'No such model.' }]);
  });

  it('counts an answer as valid when it has the form that was asked for', async () => {
    const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] };
    const format = { type: 'json_schema', json_schema: { name: 'n', schema } };
    const target = (name: string, subject: Record<string, unknown>, output = {}): SeededTarget => ({
      name,
      verdicts: '1',
      spec: { sampling_params: { response_format: format } },
      output: { subject, ...output },
    });
    const path = await seed([
      target('fits', { output_text: '{"n":1}', output_json: { n: 1 } }),
      target('other', { output_text: '{"m":1}', output_json: { m: 1 } }),
      target('text', { output_text: 'one' }),
      target('cut', { output_json: { n: 1 } }, { truncated: true }),
      target('refused', { output_json: { n: 1 } }, { refused: true }),
    ]);
    const { targets } = await get<EvalComparison>(`${path}/comparison`);
    expect(targets.map(({ valid_rate }) => valid_rate)).toEqual([1, 0, 0, 0, 0]);
    expect(targets.map(({ truncation_rate, refusal_rate }) => [truncation_rate, refusal_rate])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
      [1, 0],
      [0, 1],
    ]);
  });

  it('is nobody else’s, and refuses what it cannot take', async () => {
    const path = await seed([{ name: 'good', verdicts: '1' }]);
    const calls: [string, string, unknown?][] = [
      ['GET', '/comparison'],
      ['GET', '/comparison/items'],
      ['POST', '/choice', { quality_floor: 0.5 }],
    ];
    for (const [method, end, json] of calls) {
      const answer = await harness.send(method, path + end, { key: other, json });
      expect([end, answer.status]).toEqual([end, 404]);
      const elsewhere = path.replace('eval_1', 'eval_2');
      expect((await harness.send(method, elsewhere + end, { json })).status).toBe(404);
    }
    for (const query of ['seed=-1', 'resamples=1', 'resamples=1000000', 'format=xml']) {
      expect([query, (await harness.send('GET', `${path}/comparison?${query}`)).status]).toEqual([query, 400]);
    }
  });
});

describe('GET …/comparison/items', () => {
  it('pages through items side by side, or through those alone on which targets differ', async () => {
    const path = await seed([
      { name: 'a', verdicts: '110010', costNano: 5 },
      { name: 'b', verdicts: '1!1000' },
    ]);
    const first = await get<Page<EvalComparedItem>>(`${path}/comparison/items?limit=4`);
    expect(first.has_more).toBe(true);
    expect(first.data.map(({ differs }) => differs)).toEqual([false, true, true, false]);
    expect(first.data[1]).toMatchObject({
      id: 'item_1',
      datasource_item_id: 1,
      datasource_item: { id: 'sum-1', answer: '2' },
      outputs: [
        { target: 'a', status: 'pass', score: 1, text: 'It is 2.', cost_usd: '0.000000005', latency_ms: 101 },
        { target: 'b', status: 'error', text: null, error: { message: 'The provider failed.' } },
      ],
    });
    const rest = await get<Page<EvalComparedItem>>(`${path}/comparison/items?limit=4&after=${first.last_id}`);
    expect([rest.data.map(({ datasource_item_id }) => datasource_item_id), rest.has_more]).toEqual([[4, 5], false]);
    const differing: number[] = [];
    for (let after = ''; ; ) {
      const page = await get<Page<EvalComparedItem>>(`${path}/comparison/items?differing=true&limit=2${after}`);
      differing.push(...page.data.map(({ datasource_item_id }) => datasource_item_id));
      expect(page.data.every(({ differs }) => differs)).toBe(true);
      if (!page.has_more) break;
      after = `&after=${page.last_id}`;
    }
    expect(differing).toEqual([1, 2, 4]);
    expect((await harness.send('GET', `${path}/comparison/items?after=nothing`)).status).toBe(400);
  });
});

describe('POST …/choice', () => {
  const passed = (count: number, of: number) => '1'.repeat(count) + '0'.repeat(of - count);
  const choose = (path: string, json: unknown) => harness.send('POST', `${path}/choice`, { json });

  it('proposes weights with their reasons, and stores them as a route that runs when it is asked to', async () => {
    const path = await seed([
      {
        name: 'good',
        verdicts: passed(50, 50),
        costNano: 3_000,
        spec: { model: 'good/good-model', sampling_params: { max_tokens: 9 } },
      },
      {
        name: 'cheap',
        verdicts: passed(40, 50),
        costNano: 800,
        spec: { model: 'cheap-model', sampling_params: { temperature: 0, max_tokens: 9 } },
      },
      { name: 'poor', verdicts: passed(10, 50), costNano: 1, spec: { sampling_params: { max_tokens: 9 } } },
    ]);
    const choice = (await (await choose(path, { quality_floor: 0.75 })).json()) as EvalChoice;
    expect(choice.targets.map(({ target, weight, eligible }) => [target, weight, eligible])).toEqual([
      ['good', 25, true],
      ['cheap', 75, true],
      ['poor', 0, false],
    ]);
    expect(choice.targets[2]?.reason).toBe('It passes 20.0 %, below the floor of 75.0 %.');
    expect(choice.applied_to).toBeNull();
    expect((await harness.send('GET', '/v1/routes/chosen')).status).toBe(404);

    const applied = await choose(path, { quality_floor: 0.75, apply_to: 'chosen' });
    expect(await applied.json()).toMatchObject({ applied_to: 'chosen', route: choice.route });
    expect(await get('/v1/routes/chosen')).toMatchObject({
      config: {
        strategy: { mode: 'loadbalance' },
        targets: [
          { provider: 'good', model: 'good-model', weight: 25 },
          { provider: 'cheap', model: 'cheap-model', weight: 75, override_params: { temperature: 0 } },
        ],
      },
    });
  });

  it('stores nothing when nothing is good enough, the run goes on, or the name is in the config', async () => {
    const path = await seed([{ name: 'good', verdicts: passed(1, 40), spec: { model: 'good/good-model' } }]);
    const none = await choose(path, { quality_floor: 0.9, apply_to: 'none' });
    expect(none.status).toBe(409);
    expect(await none.text()).toContain('No target fulfils this');
    const running = await seed([{ name: 'good', verdicts: '1' }], { isRunning: true });
    expect((await choose(running, { quality_floor: 0.9 })).status).toBe(409);
    const fine = await seed([{ name: 'good', verdicts: passed(40, 40), spec: { model: 'good/good-model' } }]);
    expect((await choose(fine, { quality_floor: 0.9, apply_to: 'fixed' })).status).toBe(409);
    for (const wrong of [
      {},
      { quality_floor: 2 },
      { quality_floor: 0.5, apply_to: 'a/b' },
      { quality_floor: 0.5, x: 1 },
    ]) {
      expect((await choose(fine, wrong)).status).toBe(400);
    }
  });
});
