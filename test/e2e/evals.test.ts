import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import type { EvalOutputItem } from '../../src/protocol/eval-output-item.ts';
import type { EvalRunObject } from '../../src/protocol/eval-run.ts';
import { assertInvariants, readEntries } from './invariants.ts';
import { connect, type Pools, startPools, startWeir, type Weir } from './weir.ts';

type RunCreate = OpenAI.Evals.RunCreateParams;

const ENDED = ['completed', 'failed', 'canceled'];
const SHARED = resolve(import.meta.dirname, '../../../shared/data');

/** The text of a message, whatever its form. */
function asked(body: Record<string, unknown>): string {
  return JSON.stringify(body.messages ?? body.input);
}

describe('evals over any provider', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  /** Opens a server with one provider per pool, each with the model `m`; `answer` gives the texts. */
  async function open(answers: ((body: Record<string, unknown>) => string | undefined)[]): Promise<void> {
    pools = await startPools(answers.map(() => ({ models: ['m', 'judge', 'vectors'] })));
    for (const [index, answer] of answers.entries()) pools.servers[index]?.configure({ answer });
    const providers = pools.servers.map((server, index) => [
      'abc'[index],
      { kind: 'vllm', base_urls: [server.baseUrl], models: ['m', 'judge', 'vectors'], price: { input: 1, output: 2 } },
    ]);
    weir = await startWeir({ providers: Object.fromEntries(providers) });
  }

  async function ended(evalId: string, runId: string, seconds = 60): Promise<EvalRunObject> {
    const deadline = Date.now() + seconds * 1_000;
    for (;;) {
      const run = await weir.client.evals.runs.retrieve(runId, { eval_id: evalId });
      if (ENDED.includes(run.status)) return run as unknown as EvalRunObject;
      if (Date.now() > deadline) throw new Error(`the run stays ${JSON.stringify(run)}`);
      await new Promise((wake) => setTimeout(wake, 20));
    }
  }

  async function assertBooks(run: EvalRunObject): Promise<void> {
    for (const target of run.targets) {
      for (const id of [target.batch_id, ...target.judge_batch_ids]) {
        if (id === null) continue;
        const batch = await weir.client.batches.retrieve(id);
        await assertInvariants(weir, id, await (await weir.client.files.content(batch.input_file_id)).text());
      }
    }
  }

  const schema = {
    type: 'object',
    properties: { question: { type: 'string' }, answer: { type: 'string' } },
    required: ['question', 'answer'],
  };
  const custom = { type: 'custom' as const, item_schema: schema, include_sample_schema: true };
  const template = {
    type: 'template' as const,
    template: [
      { role: 'system' as const, content: 'Answer briefly.' },
      { role: 'user' as const, content: '{{item.question}}' },
    ],
  };

  it('runs one end to end with the official SDK: answers, judges, embeddings, counts, items and accounts', async () => {
    await open([
      (body) => {
        if (body.model !== 'judge') return /Question (\d+)/.exec(asked(body))?.[1];
        // The labelling judge is told the answer and finds even ones good; the scoring one gives a half.
        if (asked(body).includes('Label'))
          return JSON.stringify({ steps: [], label: /Label \d*[02468]\W/.test(asked(body)) ? 'even' : 'odd' });
        return JSON.stringify({ steps: ['so so'], result: 0.5 });
      },
    ]);
    const { evals } = weir.client;
    const made = await evals.create({
      name: 'Numbers',
      metadata: { team: 'blue' },
      data_source_config: custom,
      testing_criteria: [
        {
          type: 'string_check',
          name: 'exact',
          input: '{{sample.output_text}}',
          reference: '{{item.answer}}',
          operation: 'eq',
        },
        {
          type: 'label_model',
          name: 'even',
          model: 'a/judge',
          input: [{ role: 'user', content: 'Label {{sample.output_text}}.' }],
          labels: ['even', 'odd'],
          passing_labels: ['even'],
        },
        {
          type: 'score_model',
          name: 'style',
          model: 'a/judge',
          input: [{ role: 'user', content: 'Style of {{sample.output_text}}' }],
          pass_threshold: 0.5,
        },
        {
          type: 'text_similarity',
          name: 'near',
          input: '{{sample.output_text}}',
          reference: '{{sample.output_text}}',
          evaluation_metric: 'cosine',
          pass_threshold: 0.99,
          model: 'a/vectors',
        } as never,
      ],
    });
    expect(made).toMatchObject({ object: 'eval', name: 'Numbers', metadata: { team: 'blue' } });
    expect((await evals.update(made.id, { name: 'Renamed' })).name).toBe('Renamed');
    expect(await evals.retrieve(made.id)).toMatchObject({ name: 'Renamed', testing_criteria: made.testing_criteria });
    expect((await evals.list()).data.map(({ id }) => id)).toEqual([made.id]);

    const content = Array.from({ length: 10 }, (_, index) => ({
      // The answer to every fifth question is noted wrongly.
      item: { question: `Question ${index}?`, answer: index % 5 === 4 ? 'x' : String(index) },
    }));
    const source = { type: 'file_content' as const, content };
    const created = await evals.runs.create(made.id, {
      name: 'First',
      metadata: { purpose: 'test' },
      data_source: {
        type: 'completions',
        source,
        input_messages: template,
        model: 'a/m',
        sampling_params: { temperature: 0, max_completion_tokens: 50, seed: 3 },
      },
    });
    expect(created).toMatchObject({
      object: 'eval.run',
      status: 'queued',
      model: 'a/m',
      eval_id: made.id,
      error: null,
    });
    const run = await ended(made.id, created.id);
    expect(run).toMatchObject({
      status: 'completed',
      error: null,
      result_counts: { total: 10, passed: 4, failed: 6, errored: 0 },
      per_testing_criteria_results: [
        { testing_criteria: 'exact', passed: 8, failed: 2, errored: 0 },
        { testing_criteria: 'even', passed: 5, failed: 5, errored: 0 },
        { testing_criteria: 'style', passed: 10, failed: 0, errored: 0 },
        { testing_criteria: 'near', passed: 10, failed: 0, errored: 0 },
      ],
      data_source: { source },
    });
    const usage = Object.fromEntries(run.per_model_usage.map((each) => [each.model_name, each.invocation_count]));
    expect(usage).toEqual({ m: 10, judge: 20, vectors: 10 });
    expect((await evals.runs.list(made.id, { status: 'completed' })).data).toMatchObject([
      { id: run.id, data_source: { source: { content: [] } } },
    ]);

    const items = [];
    for await (const item of evals.runs.outputItems.list(run.id, { eval_id: made.id, limit: 3 })) items.push(item);
    expect(items.map(({ datasource_item_id: id }) => id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(items[4]).toMatchObject({
      object: 'eval.run.output_item',
      status: 'fail',
      datasource_item: content[4]?.item,
      sample: {
        input: [
          { role: 'system', content: 'Answer briefly.' },
          { role: 'user', content: 'Question 4?' },
        ],
        output: [{ role: 'assistant', content: '4' }],
        model: 'm',
        finish_reason: 'stop',
        temperature: 0,
        max_completion_tokens: 50,
        seed: 3,
        error: null,
      },
      results: [
        { name: 'exact', score: 0, passed: false },
        { name: 'even', score: 1, passed: true, sample: { label: 'even' } },
        { name: 'style', score: 0.5, passed: true },
        { name: 'near', passed: true },
      ],
      weir: {
        target: 'a/m',
        provider: 'a',
        latency_ms: expect.any(Number) as number,
        cost_nano_usd: expect.any(Number) as number,
      },
    });
    expect(items[0]?.sample.usage.total_tokens).toBeGreaterThan(0);
    expect(await evals.runs.outputItems.retrieve(items[4]?.id ?? '', { eval_id: made.id, run_id: run.id })).toEqual(
      items[4],
    );
    const failed = await evals.runs.outputItems.list(run.id, { eval_id: made.id, status: 'fail', order: 'desc' });
    expect(failed.data.map(({ datasource_item_id: id }) => id)).toEqual([9, 7, 5, 4, 3, 1]);

    await assertBooks(run);
    const summary = await weir.call<{ data: Record<string, unknown>[] }>(
      `/v1/ledger/summary?group_by=tag:eval_part&tag=eval_run_id:${run.id}`,
    );
    expect(summary.data).toMatchObject([
      { tag: 'answer', requests: 10, amount_nano_usd: run.targets[0]?.cost?.amount_nano_usd },
      { tag: 'judge', requests: 30, amount_nano_usd: run.targets[0]?.judge_cost?.amount_nano_usd },
    ]);
    const [entry] = await readEntries(weir, run.targets[0]?.batch_id ?? '');
    expect(entry?.tags).toMatchObject({ purpose: 'test', eval_id: made.id, eval_target: 'a/m' });
  });

  it('finds exactly the accuracy that the answers to GSM8K have, for each of several targets', async () => {
    const { rows, right } = await gsm8k();
    // Each knows the answers up to a place of its own; the second writes them with separators and words around.
    const known = [0.9, 0.5, 0.25].map((share) => Math.floor(rows.length * share));
    await open(
      known.map((most, index) => (body) => {
        const place = right.get(asked(body)) ?? Number.NaN;
        const answer = Number(rows[place]?.item.answer);
        const said = place < most ? answer : answer + 1;
        return index === 1 ? `I count 7 things.\n#### ${said.toLocaleString('en-US')} in all, of 99.` : `#### ${said}`;
      }),
    );
    const { evals } = weir.client;
    const numeric = {
      type: 'numeric',
      name: 'number',
      input: '{{sample.output_text}}',
      reference: '{{item.answer}}',
      after: '####',
    };
    const made = await evals.create({ data_source_config: custom, testing_criteria: [numeric as never] });
    const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    const file = await weir.client.files.create({ file: new File([text], 'gsm8k.jsonl'), purpose: 'evals' });
    const created = await evals.runs.create(made.id, {
      data_source: {
        type: 'responses',
        source: { type: 'file_id', id: file.id },
        input_messages: { ...template, template: template.template.slice(1) },
      },
      targets: [
        { model: 'a/m' },
        { name: 'second', model: 'b/m' },
        { model: 'c/m', sampling_params: { temperature: 1 } },
      ],
    } as RunCreate);
    const run = await ended(made.id, created.id, 100);
    expect(run.status).toBe('completed');
    expect(run.targets.map(({ name, result_counts: counts }) => [name, counts])).toEqual(
      ['a/m', 'second', 'c/m'].map((name, index) => {
        const passed = known[index] ?? 0;
        return [name, { total: rows.length, passed, failed: rows.length - passed, errored: 0 }];
      }),
    );
    expect(run.result_counts.total).toBe(3 * rows.length);
    const page = await weir.call<{ data: EvalOutputItem[] }>(
      `/v1/evals/${made.id}/runs/${run.id}/output_items?target=second&status=fail&limit=1`,
    );
    expect(page.data[0]).toMatchObject({ datasource_item_id: known[1], weir: { target: 'second', provider: 'b' } });
    await assertBooks(run);
  }, 150_000);

  it('grades answers that are there already without asking anyone', async () => {
    await open([]);
    const { evals } = weir.client;
    const made = await evals.create({
      data_source_config: { type: 'custom', item_schema: { type: 'object' }, include_sample_schema: true },
      testing_criteria: [
        {
          type: 'string_check',
          name: 'is',
          input: '{{sample.output_json.n}}',
          reference: '{{item.n}}',
          operation: 'eq',
        },
        {
          type: 'text_similarity',
          name: 'like',
          input: '{{sample.output_text}}',
          reference: '{"n":1}',
          evaluation_metric: 'fuzzy_match',
          pass_threshold: 0.5,
        },
      ],
    });
    const content = [
      { item: { n: 1 }, sample: { output_text: '{"n":1}' } },
      { item: { n: 2 }, sample: { output_text: '{"n":1}' } },
      { item: { n: 3 }, sample: { output_text: 'nothing' } },
    ];
    const run = await evals.runs.create(made.id, {
      data_source: { type: 'jsonl', source: { type: 'file_content', content } },
    });
    expect(await ended(made.id, run.id)).toMatchObject({
      status: 'completed',
      result_counts: { total: 3, passed: 1, failed: 2, errored: 0 },
      targets: [{ batch_id: null }],
    });
    const items = await evals.runs.outputItems.list(run.id, { eval_id: made.id });
    expect(items.data.map(({ status }) => status)).toEqual(['pass', 'fail', 'fail']);
    expect((await weir.client.batches.list()).data).toEqual([]);
  });

  it('tells failures of models from failed answers, and failures of judges from both', async () => {
    await open([(body) => (body.model === 'judge' ? 'no idea' : 'fine')]);
    const { evals } = weir.client;
    const made = await evals.create({
      data_source_config: custom,
      testing_criteria: [
        {
          type: 'score_model',
          name: 'judge',
          model: 'a/judge',
          input: [{ role: 'user', content: '{{sample.output_text}}' }],
        },
      ],
    });
    const source = {
      type: 'file_content' as const,
      content: [{ item: { question: 'a', answer: 'b' } }, { item: { question: 'c', answer: 'd' } }],
    };
    const data_source = { type: 'completions' as const, source, input_messages: template, model: 'a/m' };
    const unreadable = await ended(made.id, (await evals.runs.create(made.id, { data_source })).id);
    expect(unreadable).toMatchObject({
      status: 'completed',
      result_counts: { errored: 2 },
      per_testing_criteria_results: [{ errored: 2 }],
    });
    pools.servers[0]?.configure({ poison: [{ contains: 'Answer briefly', fail_with: 400 }] });
    const refused = await ended(made.id, (await evals.runs.create(made.id, { data_source })).id);
    expect(refused).toMatchObject({
      status: 'completed',
      result_counts: { total: 2, errored: 2 },
      targets: [{ judge_batch_ids: [] }],
    });
    const [item] = (await evals.runs.outputItems.list(refused.id, { eval_id: made.id })).data;
    expect(item).toMatchObject({
      status: 'error',
      results: [],
      sample: { error: { code: expect.any(String) as string } },
    });
  });

  it('stops what is cancelled, and leaves nothing of what is deleted', async () => {
    pools = await startPools([{ models: ['m'], latency_ms: 60_000 }]);
    weir = await startWeir({
      providers: {
        a: { kind: 'vllm', base_urls: [pools.servers[0]?.baseUrl], models: ['m'], price: { input: 1, output: 2 } },
      },
      settings: { drain_seconds: 1 },
    });
    const { evals } = weir.client;
    const made = await evals.create({
      data_source_config: custom,
      testing_criteria: [{ type: 'string_check', name: 'n', input: '', reference: '', operation: 'eq' }],
    });
    const source = { type: 'file_content' as const, content: [{ item: { question: 'a', answer: 'b' } }] };
    const data_source = { type: 'completions' as const, source, input_messages: template, model: 'a/m' };
    const run = await evals.runs.create(made.id, { data_source });
    await expect.poll(async () => (await weir.client.batches.list()).data.length).toBe(1);
    await expect.poll(() => pools.servers[0]?.counters.received).toBe(1);
    expect((await evals.runs.cancel(run.id, { eval_id: made.id })).status).toBe('canceled');
    expect((await evals.runs.cancel(run.id, { eval_id: made.id })).status).toBe('canceled');
    await expect
      .poll(async () => (await weir.client.batches.list()).data[0]?.status, { timeout: 20_000 })
      .toBe('cancelled');
    const [batch] = (await weir.client.batches.list()).data;
    await assertInvariants(
      weir,
      batch?.id ?? '',
      await (await weir.client.files.content(batch?.input_file_id ?? '')).text(),
    );
    expect(await evals.runs.delete(run.id, { eval_id: made.id })).toEqual({
      object: 'eval.run.deleted',
      deleted: true,
      run_id: run.id,
    });
    await expect.poll(async () => (await weir.client.files.list()).data.length, { timeout: 10_000 }).toBe(0);
    expect(await evals.delete(made.id)).toMatchObject({ object: 'eval.deleted', deleted: true, eval_id: made.id });
    expect((await evals.list()).data).toEqual([]);
  }, 60_000);

  it('answers mistakes at once with what is wrong, and other tenants with nothing', async () => {
    await open([() => 'x']);
    const { evals } = weir.client;
    const check = {
      type: 'string_check' as const,
      name: 'n',
      input: '{{item.answer}}',
      reference: '',
      operation: 'eq' as const,
    };
    const made = await evals.create({ data_source_config: custom, testing_criteria: [check] });
    const content = [{ item: { question: 'a', answer: 'b' } }];
    const source = { type: 'file_content' as const, content };
    const completions = { type: 'completions' as const, source, input_messages: template, model: 'a/m' };
    const run = (data_source: object, more: object = {}) =>
      evals.runs.create(made.id, { data_source, ...more } as RunCreate);
    const refusals: [() => Promise<unknown>, string][] = [
      [() => evals.create({ data_source_config: custom, testing_criteria: [check, check] }), "'n' names two criteria"],
      [
        () => evals.create({ data_source_config: custom, testing_criteria: [{ ...check, input: '{{nothing}}' }] }),
        'reads item.<name>',
      ],
      [
        () =>
          evals.create({
            data_source_config: custom,
            testing_criteria: [{ type: 'python', name: 'p', source: '' } as never],
          }),
        "'python' are refused",
      ],
      [() => evals.create({ data_source_config: { type: 'logs' }, testing_criteria: [check] }), 'keeps no log'],
      [() => run({ ...completions, model: 'missing-model' }), 'missing-model'],
      [() => run({ ...completions, model: undefined }), "Missing 'data_source.model'"],
      [() => run({ ...completions, input_messages: undefined }), "Missing 'data_source.input_messages'"],
      [
        () =>
          run({
            ...completions,
            input_messages: { type: 'template', template: [{ role: 'user', content: '{{sample.output_text}}' }] },
          }),
        'read the item only',
      ],
      [
        () => run({ ...completions, input_messages: { type: 'item_reference', item_reference: 'item.messages' } }),
        "'item.messages' has no value",
      ],
      [() => run({ ...completions, source: { type: 'file_id', id: 'file-none' } }), 'No such File'],
      [
        () =>
          run({
            ...completions,
            source: { type: 'file_content', content: [...content, { item: { question: 1, answer: '' } }] },
          }),
        'content[1]',
      ],
      [() => run(completions, { completion_window: 'soon' }), "'immediate', or a number"],
      [() => run(completions, { config: 'no-route' }), "no route 'no-route'"],
      [() => run(completions, { targets: [{ model: 'a/m' }, { model: 'a/m' }] }), "Two targets are called 'a/m'"],
      [() => run({ type: 'jsonl', source }), "has no 'sample'"],
    ];
    for (const [refusal, words] of refusals) {
      await expect(refusal()).rejects.toMatchObject({ status: 400, message: expect.stringContaining(words) as string });
    }
    const judged = await evals.create({
      data_source_config: custom,
      testing_criteria: [
        { type: 'score_model', name: 's', model: 'no-judge', input: [{ role: 'user', content: 'x' }] },
      ],
    });
    await expect(evals.runs.create(judged.id, { data_source: completions })).rejects.toMatchObject({
      status: 400,
      param: 'testing_criteria[0].model',
    });

    const bad = await weir.client.files.create({
      file: new File(['{"item":{"question":"a","answer":"b"}}\n\n{"item":{}}\n'], 'x.jsonl'),
      purpose: 'evals',
    });
    const failed = await ended(made.id, (await run({ ...completions, source: { type: 'file_id', id: bad.id } })).id);
    expect(failed).toMatchObject({
      status: 'failed',
      error: { code: 'invalid_item', message: expect.stringContaining('Row 2') as string },
    });
    expect((await weir.client.batches.list()).data).toEqual([]);
    await expect(evals.runs.cancel(failed.id, { eval_id: made.id })).rejects.toMatchObject({ status: 409 });

    const { secret } = await weir.call<{ secret: string }>('/v1/keys', {
      method: 'POST',
      body: JSON.stringify({ name: 'other', tenant_id: 'other' }),
    });
    const other = connect(weir.url, secret).client.evals;
    expect((await other.list()).data).toEqual([]);
    const path = { eval_id: made.id };
    const foreign = [
      () => other.retrieve(made.id),
      () => other.update(made.id, { name: 'mine' }),
      () => other.delete(made.id),
      () => other.runs.create(made.id, { data_source: completions }),
      () => other.runs.list(made.id),
      () => other.runs.retrieve(failed.id, path),
      () => other.runs.cancel(failed.id, path),
      () => other.runs.delete(failed.id, path),
      () => other.runs.outputItems.list(failed.id, path),
      () => other.list({ after: made.id }),
    ];
    for (const each of foreign) await expect(each()).rejects.toMatchObject({ status: 404 });
    const own = await other.create({ data_source_config: custom, testing_criteria: [check] });
    await expect(
      other.runs.create(own.id, { data_source: { ...completions, source: { type: 'file_id', id: bad.id } } }),
    ).rejects.toMatchObject({ status: 400, code: 'file_not_found' });
  });
});

/** The problems of GSM8K with their answers where they are at hand, else sums of our own making. */
async function gsm8k() {
  const path = `${SHARED}/gsm8k-test.batch.jsonl`;
  const read = async (file: string) =>
    (await readFile(file, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, never>);
  const problems = existsSync(path)
    ? await Promise.all([read(path), read(`${SHARED}/gsm8k-test.answers.jsonl`)]).then(([lines, answers]) =>
        lines.map(({ body }, index) => ({
          question: (body as unknown as { messages: { content: string }[] }).messages[1]?.content ?? '',
          answer: String(answers[index]?.answer),
        })),
      )
    : Array.from({ length: 400 }, (_, index) => ({
        question: `What is ${index} times ${index}?`,
        answer: String(index * index),
      }));
  const rows = problems.map((item) => ({ item }));
  const right = new Map(
    problems.map(({ question }, index) => [JSON.stringify([{ role: 'user', content: question }]), index]),
  );
  return { rows, right };
}
