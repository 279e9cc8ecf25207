import { describe, expect, it } from 'vitest';
import { gradeItem, judgeCalls } from '../../../src/core/eval/grade-item.ts';
import type { Grade, JudgeAnswer } from '../../../src/core/eval/grader.ts';
import { compileGrader } from '../../../src/core/eval/graders.ts';
import { type GraderSpec, graderSchema } from '../../../src/protocol/eval-grader.ts';

type Sample = Record<string, unknown>;

/** The grade of an answer, by a criterion that is read as it comes in a request. */
function grade(spec: object, item: Sample, sample: Sample, answers: readonly JudgeAnswer[] = []): Grade {
  const parsed = graderSchema.parse({ name: 'g', ...spec }) as GraderSpec;
  const { results } = gradeItem([compileGrader(parsed)], { item, sample }, (place) => answers[place] as JudgeAnswer);
  return results[0] as Grade;
}

const said = (content: string): JudgeAnswer => ({
  body: {
    model: 'judge-1',
    choices: [{ message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { total_tokens: 3 },
  },
});

describe('graders that compute', () => {
  const input = '{{sample.output_text}}';
  const text = (output_text: string) => ({ output_text });

  it.each([
    ['eq', 'yes', 'yes', 1],
    ['eq', 'yes', 'Yes', 0],
    ['ne', 'yes', 'no', 1],
    ['like', 'oh yes!', 'yes', 1],
    ['like', 'oh Yes!', 'yes', 0],
    ['ilike', 'oh Yes!', 'yES', 1],
  ] as const)('string_check %s of %j with %j scores %d', (operation, output, reference, score) => {
    const spec = { type: 'string_check', operation, input, reference: '{{ item.answer }}' };
    expect(grade(spec, { answer: reference }, text(output))).toMatchObject({ score, passed: score === 1 });
  });

  it.each([
    [{}, 'So 3 + 4 = 7', '7', true],
    [{ after: '####' }, 'is 12.\n#### 1,234 (in 5 days)', '#### 1234', true],
    [{ after: '####' }, 'no mark, but 18', '18', true],
    [{ pick: 'first' }, '5-3', '5', true],
    [{ pick: 'only' }, '1 or 2', '2', false],
    [{}, 'costs $-1,000.50.', '-1000.5', true],
    [{}, 'about −3', '-3', true],
    [{ tolerance: 0.01 }, '3.14', '3.149', true],
    [{ tolerance: 0.01 }, '3.14', '3.16', false],
    [{ relative_tolerance: 0.1 }, '110', '100', true],
    [{}, 'none', '1', false],
    [{}, '1.5e3', '1500', true],
  ])('numeric %j of %j with %j passes: %j', (more, output, reference, passed) => {
    const spec = { type: 'numeric', input, reference: '{{item.answer}}', ...more };
    expect(grade(spec, { answer: reference }, text(output)).passed).toBe(passed);
  });

  it('numeric gives no score where the reference has no number', () => {
    const spec = { type: 'numeric', input, reference: '{{item.answer}}' };
    expect(grade(spec, { answer: 'n/a' }, text('1'))).toMatchObject({ score: null, error: { code: 'no_number' } });
  });

  it('regex, contains and json_schema pass as they say', () => {
    expect(grade({ type: 'regex', input, pattern: '^\\d{4}-\\d{2}$' }, {}, text('2026-11')).passed).toBe(true);
    expect(grade({ type: 'regex', input, pattern: 'end$' }, {}, text(`${'x'.repeat(30_000)}end`)).passed).toBe(true);
    expect(grade({ type: 'regex', input, pattern: 'x' }, {}, text('a'.repeat(32_769))).error?.code).toBe(
      'text_too_long',
    );
    const words = { type: 'contains', input, reference: ['{{item.a}}', 'b'] };
    expect(grade(words, { a: 'A' }, text('A b')).passed).toBe(true);
    expect(grade(words, { a: 'A' }, text('a b'))).toMatchObject({ passed: false, sample: { missing: ['A'] } });
    expect(grade({ ...words, match: 'any' }, { a: 'A' }, text('b')).passed).toBe(true);
    expect(grade({ ...words, ignore_case: true }, { a: 'A' }, text('a B')).passed).toBe(true);
    const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
    expect(grade({ type: 'json_schema', input, schema }, {}, text('{"n":1}')).passed).toBe(true);
    expect(grade({ type: 'json_schema', input, schema }, {}, text('{"n":"1"}')).passed).toBe(false);
    expect(grade({ type: 'json_schema', input }, {}, text('nothing')).passed).toBe(false);
  });

  it('an answer that is not the JSON it should be is a bad answer, an item without a value a bad item', () => {
    const spec = {
      type: 'string_check',
      operation: 'eq',
      input: '{{sample.output_json.a[0].b}}',
      reference: '{{item.x}}',
    };
    expect(grade(spec, { x: '1' }, { output_text: '', output_json: { a: [{ b: 1 }] } }).passed).toBe(true);
    expect(grade(spec, { x: '1' }, { output_text: 'no' })).toMatchObject({ score: 0, passed: false });
    expect(grade(spec, {}, { output_json: { a: [{ b: 1 }] } })).toMatchObject({
      score: null,
      error: { code: 'missing_value' },
    });
    const proto = { ...spec, input: '{{item.constructor.name}}' };
    expect(grade(proto, { x: 'Object' }, {}).error?.code).toBe('missing_value');
  });

  it('composites follow their graders', () => {
    const has = (name: string, reference: string) => ({ type: 'contains', name, input, reference });
    const graders = [has('a', 'a'), has('b', 'b')];
    expect(grade({ type: 'all', graders }, {}, text('a b'))).toMatchObject({ score: 1, passed: true });
    expect(grade({ type: 'all', graders }, {}, text('a'))).toMatchObject({ score: 0, passed: false });
    expect(grade({ type: 'any', graders }, {}, text('a'))).toMatchObject({ score: 1, passed: true });
    expect(grade({ type: 'not', graders: graders.slice(0, 1) }, {}, text('b'))).toMatchObject({
      score: 1,
      passed: true,
    });
    const weighted = { type: 'weighted', graders, weights: [3, 1], pass_threshold: 0.75 };
    expect(grade(weighted, {}, text('a'))).toMatchObject({
      score: 0.75,
      passed: true,
      results: [{ score: 1 }, { score: 0 }],
    });
    expect(grade(weighted, {}, text('b'))).toMatchObject({ score: 0.25, passed: false });
    const multi = { type: 'multi', graders: { x: graders[0], y: graders[1] }, calculate_output: '(x + y) / 2' };
    expect(grade(multi, {}, text('a'))).toMatchObject({ score: 0.5, passed: true });
    // OpenAI's types name one grader, others send a list: by their own names.
    expect(grade({ ...multi, graders, calculate_output: 'min(a, b)' }, {}, text('a')).score).toBe(0);
    expect(grade({ ...multi, graders: graders[0], calculate_output: 'a' }, {}, text('a')).score).toBe(1);
  });
});

describe('graders that ask a model', () => {
  const subject = { item: { q: 'Why?' }, sample: { output_text: 'Because.' } };
  const score = {
    type: 'score_model',
    name: 'quality',
    model: 'judge',
    input: [
      { role: 'system', content: 'Grade.' },
      {
        role: 'user',
        content: [
          { type: 'input_text', text: '{{item.q}} {{sample.output_text}}' },
          { type: 'input_image', image_url: 'data:x' },
        ],
      },
    ],
    range: [1, 5],
    sampling_params: { temperature: 0, max_completions_tokens: 100 },
  };
  const label = {
    type: 'label_model',
    model: 'judge',
    input: [{ role: 'user', content: '{{item.q}}' }],
    labels: ['good', 'bad'],
    passing_labels: ['good'],
  };

  it('write their requests from the templates, with a schema for the answer', () => {
    const [call] = judgeCalls([compileGrader(graderSchema.parse(score))], subject);
    expect(call).toMatchObject({
      at: { endpoint: '/v1/chat/completions' },
      body: {
        model: 'judge',
        temperature: 0,
        max_completion_tokens: 100,
        messages: [
          { role: 'system', content: expect.stringMatching(/^Grade\.\n\nAnswer with a JSON object/) as string },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'Why? Because.' },
              { type: 'image_url', image_url: { url: 'data:x' } },
            ],
          },
        ],
        response_format: { type: 'json_schema', json_schema: { strict: true } },
      },
    });
  });

  it.each([
    ['{"steps":[],"result":4}', 4, true],
    ['```json\n{"result": "2.5"}\n```', 2.5, false],
    ['3', 3, true],
    ['{"result":6}', null, false],
    ['I would say four', null, false],
  ])('score_model reads %j as %j', (content, expected, passed) => {
    const result = grade(score, subject.item, subject.sample, [said(content)]);
    expect(result).toMatchObject({ score: expected, passed });
    expect(result.error?.code).toBe(expected === null ? 'judge_unreadable' : undefined);
  });

  it('label_model passes by its label, and an answer with none of them is no grade', () => {
    expect(grade(label, subject.item, subject.sample, [said('{"label":"good"}')])).toMatchObject({
      score: 1,
      passed: true,
    });
    expect(grade(label, subject.item, subject.sample, [said('bad')])).toMatchObject({
      score: 0,
      passed: false,
      sample: { label: 'bad' },
    });
    expect(grade(label, subject.item, subject.sample, [said('fine')])).toMatchObject({ score: null, passed: false });
    const lost: JudgeAnswer = { error: { code: 'batch_expired', message: 'too late' } };
    expect(grade(label, subject.item, subject.sample, [lost])).toMatchObject({
      score: null,
      error: { code: 'judge_failed' },
    });
  });

  it('cosine compares embeddings', () => {
    const spec = {
      type: 'text_similarity',
      name: 'c',
      evaluation_metric: 'cosine',
      model: 'e',
      input: '{{sample.output_text}}',
      reference: 'x',
    };
    const answer = { body: { data: [{ embedding: [1, 0] }, { embedding: [1, 1] }] } };
    expect(grade(spec, subject.item, subject.sample, [answer]).score).toBeCloseTo(Math.SQRT1_2, 12);
  });

  it('within composites and beside others get their own answers', () => {
    const graders = [
      {
        type: 'all',
        name: 'both',
        graders: [
          { ...label, name: 'l' },
          { type: 'string_check', name: 's', operation: 'ne', input: '{{item.q}}', reference: '' },
          score,
        ],
      },
      { ...label, name: 'last' },
    ].map((spec) => compileGrader(graderSchema.parse(spec)));
    expect(judgeCalls(graders, subject)).toHaveLength(3);
    const answers = [said('good'), said('5'), said('bad')];
    const graded = gradeItem(graders, subject, (place) => answers[place] as JudgeAnswer);
    expect(graded.results).toMatchObject([
      { passed: true, results: [{ score: 1 }, { score: 1 }, { score: 5 }] },
      { passed: false, score: 0 },
    ]);
    expect(graded).toMatchObject({ status: 'fail', score: 0.5 });
    const without = { item: {}, sample: {} };
    expect(judgeCalls(graders, without)).toEqual([]);
    expect(gradeItem(graders, without, () => said(''))).toMatchObject({ status: 'error', score: null });
  });
});

describe('what no grader can be made of', () => {
  const check = (spec: object) => () => compileGrader(graderSchema.parse({ name: 'g', ...spec }));
  const text = { type: 'string_check', operation: 'eq', input: '', reference: '' };

  it.each([
    [{ type: 'python', source: 'x' }, "'python' are refused"],
    [{ ...text, input: '{{user.name}}' }, 'reads nothing'],
    [{ ...text, input: '{{item}' }, null],
    [{ type: 'regex', input: '', pattern: '(?=a)' }, 'pattern'],
    [{ type: 'text_similarity', evaluation_metric: 'cosine', input: '', reference: '' }, "needs 'model'"],
    [
      { type: 'json_schema', input: '', schema: { properties: { pattern: { type: 'string', pattern: '(?=x)' } } } },
      "'pattern' is not checked",
    ],
    [{ type: 'json_schema', input: '', schema: { type: 'string', pattern: '^x' } }, null],
    [{ type: 'json_schema', input: '', schema: { properties: { format: { type: 'string' } } } }, null],
    [{ type: 'json_schema', input: '', schema: { $ref: '#/$defs/none' } }, 'leads nowhere'],
    [{ type: 'text_similarity', evaluation_metric: 'bleu', model: 'm', input: '', reference: '' }, 'asks none'],
    [
      { type: 'label_model', model: 'm', input: [{ role: 'user', content: '' }], labels: ['a'], passing_labels: ['b'] },
      'none of the labels',
    ],
    [{ type: 'score_model', model: 'm', input: [{ role: 'user', content: '' }], range: [1, 1] }, 'the lower first'],
    [
      {
        type: 'not',
        graders: [
          { ...text, name: 'a' },
          { ...text, name: 'b' },
        ],
      },
      'takes one',
    ],
    [{ type: 'weighted', graders: [{ ...text, name: 'a' }], weights: [0] }, 'weights'],
    [{ type: 'multi', graders: { a: { ...text, name: 'a' } }, calculate_output: 'b' }, 'neither'],
    [
      ['all', 'all', 'all', 'all'].reduce<object>((inner, type) => ({ type, name: 'n', graders: [inner] }), {
        ...text,
        name: 'a',
      }),
      'nested',
    ],
  ])('%j', (spec, reason) => {
    if (reason === null) expect(check(spec)).not.toThrow();
    else expect(check(spec)).toThrow(reason);
  });
});
