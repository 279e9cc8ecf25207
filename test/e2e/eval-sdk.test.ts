import { describe, expect, it } from 'vitest';
import { asked, custom, evalServer, template } from './eval-server.ts';
import { readEntries } from './invariants.ts';

describe('evals over any provider', () => {
  const at = evalServer();

  it('runs one end to end with the official SDK: answers, judges, embeddings, counts, items and accounts', async () => {
    await at.open([
      (body) => {
        if (body.model !== 'judge') return /Question (\d+)/.exec(asked(body))?.[1];
        // The labelling judge is told the answer and finds even ones good; the scoring one gives a half.
        if (asked(body).includes('Label'))
          return JSON.stringify({ steps: [], label: /Label \d*[02468]\W/.test(asked(body)) ? 'even' : 'odd' });
        return JSON.stringify({ steps: ['so so'], result: 0.5 });
      },
    ]);
    const { evals } = at.weir.client;
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
    const run = await at.ended(made.id, created.id);
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

    await at.assertBooks(run);
    const summary = await at.weir.call<{ data: Record<string, unknown>[] }>(
      `/v1/ledger/summary?group_by=tag:eval_part&tag=eval_run_id:${run.id}`,
    );
    expect(summary.data).toMatchObject([
      { tag: 'answer', requests: 10, amount_nano_usd: run.targets[0]?.cost?.amount_nano_usd },
      { tag: 'judge', requests: 30, amount_nano_usd: run.targets[0]?.judge_cost?.amount_nano_usd },
    ]);
    const [entry] = await readEntries(at.weir, run.targets[0]?.batch_id ?? '');
    expect(entry?.tags).toMatchObject({ purpose: 'test', eval_id: made.id, eval_target: 'a/m' });
  });
});
