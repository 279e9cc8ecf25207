import { describe, expect, it } from 'vitest';
import { evalServer } from './eval-server.ts';

describe('evals over any provider', () => {
  const at = evalServer();

  it('grades answers that are there already without asking anyone', async () => {
    await at.open([]);
    const { evals } = at.weir.client;
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
    expect(await at.ended(made.id, run.id)).toMatchObject({
      status: 'completed',
      result_counts: { total: 3, passed: 1, failed: 2, errored: 0 },
      targets: [{ batch_id: null }],
    });
    const items = await evals.runs.outputItems.list(run.id, { eval_id: made.id });
    expect(items.data.map(({ status }) => status)).toEqual(['pass', 'fail', 'fail']);
    expect((await at.weir.client.batches.list()).data).toEqual([]);
  });
});
