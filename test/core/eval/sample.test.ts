import { describe, expect, it } from 'vitest';
import { answerOfLine, answerOfRow, completeSample } from '../../../src/core/eval/sample.ts';
import type { OutputLine } from '../../../src/protocol/result-line.ts';

const DEEP = JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`) as unknown;

function line(body: unknown, change: Partial<OutputLine> = {}): OutputLine {
  const weir = {
    line: 1,
    provider: 'p',
    model: 'asked',
    target: 'p/asked',
    attempts: 1,
    cost_nano_usd: 1,
    warnings: [],
    finish_reason: null,
    input_tokens: 0,
    output_tokens: 0,
  };
  return {
    id: 'x',
    custom_id: 'item-0',
    response: { status_code: 200, request_id: null, body },
    error: null,
    weir,
    ...change,
  };
}

const asked = {
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }, { content: null }],
  body: { model: 'asked', max_output_tokens: 9, temperature: 0.5, seed: 4 },
};

describe('what a line answers', () => {
  it('as a chat completion, with its request beside it', () => {
    const { sample, subject, truncated, refused } = answerOfLine(
      line({
        model: 'served',
        choices: [
          { finish_reason: 'length', message: { content: '{"a":1}', tool_calls: [{ function: { name: 'f' } }, DEEP] } },
        ],
        usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9, prompt_tokens_details: { cached_tokens: 3 } },
      }),
      asked,
    );
    expect(sample).toEqual({
      input: [
        { role: 'user', content: '[{"type":"text","text":"Hi"}]' },
        { role: 'user', content: '""' },
      ],
      output: [{ role: 'assistant', content: '{"a":1}' }],
      finish_reason: 'length',
      model: 'served',
      usage: { total_tokens: 9, completion_tokens: 2, prompt_tokens: 7, cached_tokens: 3 },
      error: null,
      temperature: 0.5,
      max_completion_tokens: 9,
      top_p: null,
      seed: 4,
    });
    // What is nested without end cannot be kept.
    const tools = [{ function: { name: 'f' } }];
    expect(subject).toEqual({ output_text: '{"a":1}', model: 'served', finish_reason: 'length', output_tools: tools });
    expect([truncated, refused]).toEqual([true, false]);
    expect(completeSample(subject)).toMatchObject({ output_json: { a: 1 } });
  });

  it('as a response, a refusal or an error', () => {
    const response = answerOfLine(
      line({
        model: 'served',
        incomplete_details: { reason: 'max_output_tokens' },
        output: [
          { type: 'reasoning' },
          {
            type: 'message',
            content: [
              { type: 'output_text', text: 'a' },
              { type: 'output_text', text: 'b' },
            ],
          },
          { type: 'function_call', name: 'f' },
        ],
      }),
      asked,
    );
    expect(response.subject).toMatchObject({ output_text: 'ab', output_tools: [{ name: 'f' }] });
    expect(response.truncated).toBe(true);
    const refusal = answerOfLine(
      line({ choices: [{ finish_reason: 'stop', message: { content: null, refusal: 'No.' } }] }),
      asked,
    );
    expect(refusal).toMatchObject({ refused: true, subject: { output_text: 'No.' }, sample: { error: null } });
    const empty = answerOfLine(line({}), asked);
    expect(empty.subject).toMatchObject({ output_text: '', model: 'asked' });
    const failed = answerOfLine(
      line(
        { error: {} },
        {
          response: { status_code: 400, request_id: null, body: { model: 'x' } },
          error: { code: 'bad', message: 'No such thing' },
        },
      ),
      asked,
    );
    expect(failed.sample).toMatchObject({
      output: [],
      model: 'asked',
      error: { code: 'bad', message: 'No such thing' },
    });
    expect(
      answerOfLine(line(null, { response: null, error: { code: 'batch_expired', message: 'late' } }), asked).sample
        .error?.code,
    ).toBe('batch_expired');
  });

  it('of a row as the row says', () => {
    const sample = { output_text: '{"b":2}', model: 'given', output_json: { b: 3 } };
    expect(answerOfRow(sample)).toMatchObject({
      subject: sample,
      sample: { model: 'given', output: [{ content: '{"b":2}' }] },
    });
    expect(completeSample(sample)).toBe(sample);
  });

  it('adds no JSON that could not be written again', () => {
    expect(completeSample({ output_text: JSON.stringify({ n: 1 }).repeat(2) })).not.toHaveProperty('output_json');
    expect(completeSample({ output_text: '[1e999]' })).not.toHaveProperty('output_json');
    expect(completeSample({ output_text: `${'['.repeat(100_000)}${']'.repeat(100_000)}` })).not.toHaveProperty(
      'output_json',
    );
    expect(completeSample({ output_text: 'null' })).toHaveProperty('output_json', null);
  });
});
