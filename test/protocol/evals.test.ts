import type OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { type EvalCreate, type EvalObject, evalCreateSchema, evalSchema } from '../../src/protocol/eval.ts';
import {
  type EvalOutputItem,
  evalOutputItemPageSchema,
  evalOutputItemSchema,
} from '../../src/protocol/eval-output-item.ts';
import {
  type EvalInputMessages,
  type EvalResultCounts,
  type EvalRunCreate,
  type EvalRunObject,
  evalRunCreateSchema,
  evalRunDeletedSchema,
  evalRunPageSchema,
  evalRunSchema,
} from '../../src/protocol/eval-run.ts';

type Evals = OpenAI.Evals;
type Created = Omit<Awaited<ReturnType<Evals['create']>>, '_request_id'>;
type Run = Omit<Awaited<ReturnType<Evals['runs']['retrieve']>>, '_request_id'>;
type Item = Omit<Awaited<ReturnType<Evals['runs']['outputItems']['retrieve']>>, '_request_id'>;

/** Members that the official SDK promises to its users; a type error here is a member that we do not have. */
const OF_EVAL: Record<keyof Created, true> = {
  id: true,
  object: true,
  created_at: true,
  name: true,
  data_source_config: true,
  testing_criteria: true,
  metadata: true,
};
const OF_RUN: Record<keyof Run, true> = {
  id: true,
  object: true,
  created_at: true,
  data_source: true,
  error: true,
  eval_id: true,
  metadata: true,
  model: true,
  name: true,
  per_model_usage: true,
  per_testing_criteria_results: true,
  report_url: true,
  result_counts: true,
  status: true,
};
const OF_ITEM: Record<keyof Item, true> = {
  id: true,
  object: true,
  created_at: true,
  datasource_item: true,
  datasource_item_id: true,
  eval_id: true,
  results: true,
  run_id: true,
  sample: true,
  status: true,
};
const OF_SAMPLE: Record<keyof Item['sample'], true> = {
  error: true,
  finish_reason: true,
  input: true,
  max_completion_tokens: true,
  model: true,
  output: true,
  seed: true,
  temperature: true,
  top_p: true,
  usage: true,
};

describe('the objects of evals', () => {
  it("have every member of the official SDK's types", () => {
    const counts: Record<keyof EvalResultCounts, true> = { total: true, passed: true, failed: true, errored: true };
    expect(Object.keys(evalRunSchema.shape.result_counts.shape)).toEqual(expect.arrayContaining(Object.keys(counts)));
    const names = (members: object) => expect.arrayContaining(Object.keys(members)) as string[];
    expect(Object.keys(evalSchema.shape satisfies Record<keyof EvalObject, unknown>)).toEqual(names(OF_EVAL));
    expect(Object.keys(evalRunSchema.shape satisfies Record<keyof EvalRunObject, unknown>)).toEqual(names(OF_RUN));
    expect(Object.keys(evalOutputItemSchema.shape satisfies Record<keyof EvalOutputItem, unknown>)).toEqual(
      names(OF_ITEM),
    );
    expect(Object.keys(evalOutputItemSchema.shape.sample.shape)).toEqual(names(OF_SAMPLE));
    for (const page of [evalRunPageSchema, evalOutputItemPageSchema]) {
      expect(Object.keys(page.shape)).toEqual(['object', 'data', 'first_id', 'last_id', 'has_more']);
    }
    expect(evalRunDeletedSchema.parse({ object: 'eval.run.deleted', deleted: true, run_id: 'evalrun_1' })).toBeTruthy();
  });

  it("take what the official SDK's types let a user write", () => {
    const create: Parameters<Evals['create']>[0] = {
      name: 'Sums',
      metadata: { team: 'blue' },
      data_source_config: { type: 'custom', item_schema: { type: 'object' }, include_sample_schema: true },
      testing_criteria: [
        {
          type: 'label_model',
          name: 'l',
          model: 'm',
          input: [{ role: 'developer', content: { type: 'input_text', text: '{{item.q}}' } }],
          labels: ['a'],
          passing_labels: ['a'],
        },
        { type: 'string_check', name: 's', input: '{{sample.output_text}}', reference: 'x', operation: 'ilike' },
        {
          type: 'text_similarity',
          name: 't',
          input: '',
          reference: '',
          evaluation_metric: 'rouge_5',
          pass_threshold: 1,
        },
        { type: 'score_model', name: 'q', model: 'm', input: [{ role: 'user', content: ['a', 'b'] }], range: [1, 7] },
      ],
    };
    expect(evalCreateSchema.parse(create) satisfies EvalCreate).toEqual(create);
    const template = {
      type: 'template' as const,
      template: [{ role: 'user' as const, content: '{{item.q}}' }],
    } satisfies EvalInputMessages;
    const source = { type: 'file_content' as const, content: [{ item: { q: 1 }, sample: { output_text: 'x' } }] };
    const runs: Parameters<Evals['runs']['create']>[1][] = [
      { name: 'a', data_source: { type: 'jsonl', source: { type: 'file_id', id: 'file-1' } }, metadata: null },
      {
        data_source: {
          type: 'completions',
          source,
          input_messages: template,
          model: 'm',
          sampling_params: { temperature: 0, max_completion_tokens: 5 },
        },
      },
      {
        data_source: {
          type: 'responses',
          source,
          input_messages: { type: 'item_reference', item_reference: 'item.q' },
          model: 'm',
        },
      },
    ];
    for (const run of runs) {
      const parsed: EvalRunCreate = evalRunCreateSchema.parse(run);
      expect(parsed).toEqual({ ...run, completion_window: 'immediate' });
    }
  });

  it('refuse what Weir does not do by its name', () => {
    const run = (data_source: object) => evalRunCreateSchema.safeParse({ data_source }).error?.issues[0];
    expect(run({ type: 'completions', source: { type: 'stored_completions' } })).toMatchObject({
      path: ['data_source', 'source', 'type'],
      message: expect.stringContaining('keeps no log') as string,
    });
    const config = {
      data_source_config: { type: 'logs' },
      testing_criteria: [{ type: 'python', name: 'p', source: '' }],
    };
    const issues = evalCreateSchema.safeParse(config).error?.issues.map(({ path }) => path.join('.'));
    expect(issues).toEqual(['data_source_config.type', 'testing_criteria.0.type']);
    expect(
      evalRunCreateSchema.safeParse({
        data_source: { type: 'completions', source: { type: 'file_id', id: 'f' }, sampling_params: { stream: true } },
      }).error?.issues[0]?.message,
    ).toContain('set by the run itself');
  });
});
