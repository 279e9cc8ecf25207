import type OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { custom, evalServer, template } from './eval-server.ts';
import { connect } from './weir.ts';

type RunCreate = OpenAI.Evals.RunCreateParams;

describe('evals over any provider', () => {
  const at = evalServer();

  it('answers mistakes at once with what is wrong, and other tenants with nothing', async () => {
    await at.open([() => 'x']);
    const { evals } = at.weir.client;
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

    const bad = await at.weir.client.files.create({
      file: new File(['{"item":{"question":"a","answer":"b"}}\n\n{"item":{}}\n'], 'x.jsonl'),
      purpose: 'evals',
    });
    const failed = await at.ended(made.id, (await run({ ...completions, source: { type: 'file_id', id: bad.id } })).id);
    expect(failed).toMatchObject({
      status: 'failed',
      error: { code: 'invalid_item', message: expect.stringContaining('Row 2') as string },
    });
    expect((await at.weir.client.batches.list()).data).toEqual([]);
    await expect(evals.runs.cancel(failed.id, { eval_id: made.id })).rejects.toMatchObject({ status: 409 });

    const { secret } = await at.weir.call<{ secret: string }>('/v1/keys', {
      method: 'POST',
      body: JSON.stringify({ name: 'other', tenant_id: 'other' }),
    });
    const other = connect(at.weir.url, secret).client.evals;
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
