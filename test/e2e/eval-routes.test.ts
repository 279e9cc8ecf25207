import { afterEach, describe, expect, it } from 'vitest';
import { drawSample } from '../../src/core/eval/draw-sample.ts';
import type { EvalChoice } from '../../src/protocol/eval-choice.ts';
import type { EvalRunObject } from '../../src/protocol/eval-run.ts';
import { assertInvariants, readEntries } from './invariants.ts';
import { type Pools, startPools, startWeir, type Weir } from './weir.ts';

const ROWS = 120;
const SAMPLE = 40;

describe('an eval that leaves where and whom to routes', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function open(): Promise<void> {
    pools = await startPools(['m', 'm', 'j', 'k'].map((model) => ({ models: [model] })));
    const asked = (body: Record<string, unknown>) => Number(/Question (\d+)/.exec(JSON.stringify(body.messages))?.[1]);
    pools.servers[0]?.configure({ answer: (body) => `right ${asked(body)}` });
    // Every fourth answer of the second is wrong.
    pools.servers[1]?.configure({ answer: (body) => (asked(body) % 4 === 0 ? 'wrong' : `right ${asked(body)}`) });
    const grade = (body: Record<string, unknown>) =>
      JSON.stringify({ steps: [], result: JSON.stringify(body.messages).includes('wrong') ? 0 : 1 });
    for (const server of pools.servers.slice(2)) server.configure({ answer: grade });
    const provider = (index: number, model: string, input: number) => ({
      kind: 'vllm',
      base_urls: [pools.servers[index]?.baseUrl],
      models: [model],
      price: { input, output: input },
    });
    weir = await startWeir({
      providers: { a: provider(0, 'm', 4), b: provider(1, 'm', 1), c: provider(2, 'j', 1), d: provider(3, 'k', 1) },
      routes: { judges: { provider: 'c', model: 'j', override_params: { temperature: 0.25 } } },
    });
  }

  async function run(evalId: string, body: object): Promise<EvalRunObject> {
    const created = await weir.call<EvalRunObject>(`/v1/evals/${evalId}/runs`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    const path = `/v1/evals/${evalId}/runs/${created.id}`;
    const isEnded = async () => ['completed', 'failed'].includes((await weir.call<EvalRunObject>(path)).status);
    await expect.poll(isEnded, { timeout: 60_000, interval: 50 }).toBe(true);
    return weir.call<EvalRunObject>(path);
  }

  const judge = (name: string, place: object) => ({
    type: 'score_model',
    name,
    model: 'c/j',
    input: [{ role: 'user', content: '{{item.question}} was answered: {{sample.output_text}}' }],
    ...place,
  });
  const makeEval = (criteria: object[]) =>
    weir.call<{ id: string }>('/v1/evals', {
      method: 'POST',
      body: JSON.stringify({
        data_source_config: { type: 'custom', item_schema: { type: 'object' } },
        testing_criteria: criteria,
      }),
    });
  const messages = { type: 'template', template: [{ role: 'user', content: '{{item.question}}' }] };

  it('asks each judge by its own route and in its own window, a sample of rows, and the targets of a route', async () => {
    await open();
    const put = {
      name: 'mini',
      config: {
        strategy: { mode: 'loadbalance' },
        request_timeout: 30_000,
        targets: [
          { provider: 'a', model: 'm', weight: 50 },
          { name: 'cheap', provider: 'b', model: 'm', weight: 50 },
        ],
      },
    };
    await weir.call('/v1/routes', { method: 'POST', body: JSON.stringify(put) });
    const made = await makeEval([
      judge('plain', {}),
      judge('routed', { config: 'judges' }),
      {
        type: 'all',
        name: 'inline',
        graders: [judge('inner', { config: { provider: 'd', model: 'k' }, completion_window: '2h' })],
      },
    ]);
    const text = Array.from({ length: ROWS }, (_, index) =>
      JSON.stringify({ item: { question: `Question ${index}` } }),
    );
    const file = await weir.client.files.create({
      file: new File([`${text.join('\n\n')}\n`], 'rows.jsonl'),
      purpose: 'evals',
    });
    const sample = { size: SAMPLE, seed: 7 };
    const ended = await run(made.id, {
      data_source: { type: 'completions', source: { type: 'file_id', id: file.id }, sample, input_messages: messages },
      targets: 'mini',
    });
    expect(ended.status).toBe('completed');
    expect(ended.data_source).toMatchObject({ sample });
    expect(ended.targets.map(({ name }) => name)).toEqual(['a/m', 'cheap']);
    const places = drawSample(ROWS, { count: SAMPLE }, 7);
    const wrong = places.filter((place) => place % 4 === 0).length;
    expect(ended.targets.map(({ result_counts: { total } }) => total)).toEqual([SAMPLE, SAMPLE]);
    const passedBy = (index: number) =>
      ended.targets[index]?.per_testing_criteria_results.map(({ passed, errored }) => [passed, errored]);
    expect(passedBy(0)).toEqual([
      [SAMPLE, 0],
      [SAMPLE, 0],
      [SAMPLE, 0],
    ]);
    expect(passedBy(1)).toEqual([
      [SAMPLE - wrong, 0],
      [SAMPLE - wrong, 0],
      [SAMPLE - wrong, 0],
    ]);
    expect(pools.servers.map(({ counters }) => counters.received)).toEqual([SAMPLE, SAMPLE, 4 * SAMPLE, 2 * SAMPLE]);
    for (const target of ended.targets) {
      expect(target.judge_batch_ids).toHaveLength(3);
      const windows: string[] = [];
      for (const id of [target.batch_id ?? '', ...target.judge_batch_ids]) {
        const batch = await weir.client.batches.retrieve(id);
        windows.push(batch.completion_window);
        const input = await (await weir.client.files.content(batch.input_file_id)).text();
        const asked = input
          .trimEnd()
          .split('\n')
          .map((line) => Number(/Question (\d+)/.exec(line)?.[1]));
        expect(asked).toEqual(places);
        await assertInvariants(weir, id, input);
      }
      expect(windows).toEqual(['immediate', 'immediate', 'immediate', '2h']);
      const spent = (await Promise.all(target.judge_batch_ids.map((id) => readEntries(weir, id)))).flat();
      const sum = spent.reduce((total, { amount_nano_usd: amount }) => total + (amount ?? 0), 0);
      expect(target.judge_cost?.amount_nano_usd).toBe(sum);
    }

    // The route that was asked gets the weights that came of it, and keeps what it says for all of its targets.
    const path = `/v1/evals/${made.id}/runs/${ended.id}/choice`;
    const rules = { quality_floor: 0, items_least: 10, apply_to: 'mini' };
    const choice = await weir.call<EvalChoice>(path, { method: 'POST', body: JSON.stringify(rules) });
    expect(choice.targets.map(({ target, eligible }) => [target, eligible])).toEqual([
      ['a/m', true],
      ['cheap', true],
    ]);
    const { config } = await weir.call<{ config: object }>('/v1/routes/mini');
    const nodes = [
      { provider: 'a', model: 'm' },
      { provider: 'b', model: 'm' },
    ];
    expect(config).toMatchObject({
      strategy: { mode: 'loadbalance' },
      targets: nodes.map((node, index) => ({
        weight: choice.targets[index]?.weight,
        request_timeout: 30_000,
        targets: [node],
      })),
    });
    expect(choice.targets[0]?.weight).toBeLessThan(choice.targets[1]?.weight ?? 0);
  });

  it('says what is wrong with a judge’s place, a sample or a route before anything is asked', async () => {
    await open();
    const body = (change: object, source: object = {}) => ({
      data_source: {
        type: 'completions',
        source: { type: 'file_content', content: [{ item: { question: 'Question 1' } }] },
        input_messages: messages,
        model: 'a/m',
        ...source,
      },
      ...change,
    });
    const refused = async (criteria: object[], request: object) => {
      const made = await makeEval(criteria);
      const error: unknown = await run(made.id, request).catch((thrown: unknown) => thrown);
      return String(error);
    };
    const exact = { type: 'contains', name: 'x', input: '{{sample.output_text}}', reference: 'right' };
    expect(await refused([judge('j', { config: 'nowhere' })], body({}))).toContain("There is no route 'nowhere'");
    expect(await refused([judge('j', { completion_window: 'soon' })], body({}))).toContain(
      'testing_criteria[0].completion_window',
    );
    expect(await refused([exact], body({ targets: 'nowhere' }))).toContain("There is no route 'nowhere'");
    expect(await refused([exact], body({}, { sample: { size: 1, share: 0.5 } }))).toContain("'size' and 'share'");
    const many = Array.from({ length: 9 }, (_, index) => judge(`j${index}`, { completion_window: `${index + 1}h` }));
    await expect(makeEval(many)).rejects.toThrow('Let some share them');
    expect(pools.servers.every(({ counters }) => counters.received === 0)).toBe(true);
  });
});
