import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import type { EvalOutputItem } from '../../src/protocol/eval-output-item.ts';
import { asked, custom, evalServer, template } from './eval-server.ts';

type RunCreate = OpenAI.Evals.RunCreateParams;

const SHARED = resolve(import.meta.dirname, '../../../shared/data');

describe('evals over any provider', () => {
  const at = evalServer();

  it('finds exactly the accuracy that the answers to GSM8K have, for each of several targets', async () => {
    const { rows, right } = await gsm8k();
    // Each knows the answers up to a place of its own; the second writes them with separators and words around.
    const known = [0.9, 0.5, 0.25].map((share) => Math.floor(rows.length * share));
    await at.open(
      known.map((most, index) => (body) => {
        const place = right.get(asked(body)) ?? Number.NaN;
        const answer = Number(rows[place]?.item.answer);
        const said = place < most ? answer : answer + 1;
        return index === 1 ? `I count 7 things.\n#### ${said.toLocaleString('en-US')} in all, of 99.` : `#### ${said}`;
      }),
    );
    const { evals } = at.weir.client;
    const numeric = {
      type: 'numeric',
      name: 'number',
      input: '{{sample.output_text}}',
      reference: '{{item.answer}}',
      after: '####',
    };
    const made = await evals.create({ data_source_config: custom, testing_criteria: [numeric as never] });
    const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    const file = await at.weir.client.files.create({ file: new File([text], 'gsm8k.jsonl'), purpose: 'evals' });
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
    const run = await at.ended(made.id, created.id, 100);
    expect(run.status).toBe('completed');
    expect(run.targets.map(({ name, result_counts: counts }) => [name, counts])).toEqual(
      ['a/m', 'second', 'c/m'].map((name, index) => {
        const passed = known[index] ?? 0;
        return [name, { total: rows.length, passed, failed: rows.length - passed, errored: 0 }];
      }),
    );
    expect(run.result_counts.total).toBe(3 * rows.length);
    const page = await at.weir.call<{ data: EvalOutputItem[] }>(
      `/v1/evals/${made.id}/runs/${run.id}/output_items?target=second&status=fail&limit=1`,
    );
    expect(page.data[0]).toMatchObject({ datasource_item_id: known[1], weir: { target: 'second', provider: 'b' } });
    await at.assertBooks(run);
  }, 150_000);
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
