import { describe, expect, it } from 'vitest';
import { custom, evalServer, template } from './eval-server.ts';

describe('evals over any provider', () => {
  const at = evalServer();

  it('tells failures of models from failed answers, and failures of judges from both', async () => {
    await at.open([(body) => (body.model === 'judge' ? 'no idea' : 'fine')]);
    const { evals } = at.weir.client;
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
    const unreadable = await at.ended(made.id, (await evals.runs.create(made.id, { data_source })).id);
    expect(unreadable).toMatchObject({
      status: 'completed',
      result_counts: { errored: 2 },
      per_testing_criteria_results: [{ errored: 2 }],
    });
    at.pools.servers[0]?.configure({ poison: [{ contains: 'Answer briefly', fail_with: 400 }] });
    const refused = await at.ended(made.id, (await evals.runs.create(made.id, { data_source })).id);
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
});
