import { describe, expect, it } from 'vitest';
import type { AnswerFacts } from '../../../providers/bedrock/facts.ts';
import { readRecord, resultOf } from '../../../providers/bedrock/results.ts';
import { failureOfJob, stateOf } from '../../../providers/bedrock/status.ts';
import { parseAnswer } from '../../../providers/shared/answer.ts';

const facts: AnswerFacts = {
  endpoint: '/v1/chat/completions',
  form: 'converse',
  provider: 'p',
  secrets: [],
  model: 'us.amazon.nova-lite-v1:0',
  id: 'chatcmpl-1',
  requestId: 'r1',
  created: 1_800_000_000,
};

function output(changes: object = {}, content: object[] = [{ text: 'Hi' }]): object {
  return {
    output: { message: { role: 'assistant', content } },
    stopReason: 'end_turn',
    usage: { inputTokens: 7, outputTokens: 3, totalTokens: 10 },
    ...changes,
  };
}

function record(line: object | string) {
  const text = typeof line === 'string' ? line : JSON.stringify(line);
  return readRecord(parseAnswer(new TextEncoder().encode(text)), () => facts);
}

describe('answers of Mistral in its own form', () => {
  it('may come in chunks, with the thoughts apart', () => {
    const content = [
      { type: 'thinking', thinking: [{ type: 'text', text: 'Hm.' }] },
      { type: 'text', text: 'Four' },
      { type: 'text', text: '.' },
    ];
    const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }];
    const result = resultOf({ choices }, { ...facts, form: 'mistral-chat' });
    expect(result.ok && JSON.parse(result.body)).toMatchObject({
      choices: [{ message: { content: 'Four.', reasoning_content: 'Hm.' } }],
    });
  });
});

describe('answers of Converse', () => {
  it('say what was left out of them', () => {
    const result = resultOf(
      output({}, [
        { text: 'Hi', image: null },
        { text: null, image: { format: 'png' } },
      ]),
      facts,
    );
    expect(result.ok && result.warnings).toEqual(['content of type image was left out']);
  });

  it('become a chat completion', () => {
    const result = resultOf(output(), facts);
    if (!result.ok) throw new Error(result.failure.message);
    expect(JSON.parse(result.body)).toEqual({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1_800_000_000,
      model: 'us.amazon.nova-lite-v1:0',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hi', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 7,
        completion_tokens: 3,
        total_tokens: 10,
        prompt_tokens_details: { cached_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0 },
      },
    });
    expect(result).toMatchObject({ usage: { input_tokens: 7, output_tokens: 3 }, finishReason: 'stop', warnings: [] });
  });

  it('join every text block, keep reasoning apart, and ignore the members of a union that are null', () => {
    const nothing = { text: null, toolUse: null, reasoningContent: null };
    const content = [
      { ...nothing, reasoningContent: { reasoningText: { text: 'Hm.' } } },
      { ...nothing, text: 'a' },
      { ...nothing, text: '\u2028b' },
    ];
    const result = resultOf(output({}, content), facts);
    expect(result.body).toContain('a\\u2028b');
    const { choices } = JSON.parse(result.body ?? '') as { choices: { message: object }[] };
    expect(choices[0]?.message).toEqual({
      role: 'assistant',
      content: 'a\u2028b',
      refusal: null,
      reasoning_content: 'Hm.',
    });
  });

  it('carry tool calls with their ids and arguments as text', () => {
    const result = resultOf(
      output({ stopReason: 'tool_use' }, [{ toolUse: { toolUseId: 't1', name: 'find', input: { q: 1 } } }]),
      facts,
    );
    expect(JSON.parse(result.body ?? '')).toMatchObject({
      choices: [
        {
          message: {
            content: null,
            tool_calls: [{ id: 't1', type: 'function', function: { name: 'find', arguments: '{"q":1}' } }],
          },
          finish_reason: 'tool_calls',
        },
      ],
    });
  });

  it.each([
    ['end_turn', 'stop', 0],
    ['stop_sequence', 'stop', 0],
    ['max_tokens', 'length', 0],
    ['model_context_window_exceeded', 'length', 0],
    ['content_filtered', 'content_filter', 0],
    ['guardrail_intervened', 'content_filter', 0],
    ['malformed_tool_use', 'stop', 1],
    ['something_new', 'stop', 1],
    ['constructor', 'stop', 1],
  ])('that end with %s finish with %s', (stopReason, finishReason, warnings) => {
    const result = resultOf(output({ stopReason }), facts);
    expect(result).toMatchObject({ ok: true, finishReason });
    expect(result.ok && result.warnings).toHaveLength(warnings);
  });

  it.each([
    [{ cacheReadInputTokens: 5, cacheWriteInputTokens: 4 }],
    [{ cacheReadInputTokenCount: 5, cacheWriteInputTokenCount: 4 }],
  ])('count cached tokens beside the input, as %j', (cache) => {
    const usage = { inputTokens: 7, outputTokens: 3, totalTokens: 10, ...cache };
    const result = resultOf(output({ usage }), facts);
    expect(result.usage).toEqual({ input_tokens: 7, cached_input_tokens: 5, cache_write_tokens: 4, output_tokens: 3 });
    expect(JSON.parse(result.body ?? '')).toMatchObject({
      usage: { prompt_tokens: 16, completion_tokens: 3, total_tokens: 19, prompt_tokens_details: { cached_tokens: 5 } },
    });
  });

  it('tell writes that live for an hour', () => {
    const cacheDetails = [
      { ttl: '1h', inputTokens: 3 },
      { ttl: '5m', inputTokens: 1 },
    ];
    const usage = { inputTokens: 7, outputTokens: 3, cacheWriteInputTokens: 4, cacheDetails };
    expect(resultOf(output({ usage }), facts).usage).toEqual({
      input_tokens: 7,
      cache_write_tokens: 1,
      cache_write_1h_tokens: 3,
      output_tokens: 3,
    });
  });

  it.each([
    [undefined, null, 'not reported'],
    [{ inputTokens: -1, outputTokens: 3 }, null, 'whole numbers'],
    [{ inputTokens: 0, outputTokens: 0 }, { input_tokens: 0, output_tokens: 0 }, 'zero'],
  ])('with usage %j say so', (usage, expected, warning) => {
    const result = resultOf(output({ usage }), facts);
    expect(result).toMatchObject({ ok: true, usage: expected, warnings: [expect.stringContaining(warning)] });
  });

  it.each([[null], ['text'], [{}], [{ output: { message: { content: null } } }]])(
    'are none when they are %j',
    (answer) => {
      expect(resultOf(answer, facts)).toMatchObject({ ok: false, failure: { kind: 'bad_response' } });
    },
  );
});

describe('answers in the shape of other endpoints', () => {
  it('are responses and completions', () => {
    const responses = resultOf(output(), { ...facts, endpoint: '/v1/responses' });
    expect(JSON.parse(responses.body ?? '')).toMatchObject({
      object: 'response',
      status: 'completed',
      output: [{ type: 'message', content: [{ type: 'output_text', text: 'Hi' }] }],
      usage: { input_tokens: 7, output_tokens: 3 },
    });
    const completions = resultOf(output(), { ...facts, endpoint: '/v1/completions' });
    expect(JSON.parse(completions.body ?? '')).toMatchObject({ object: 'text_completion', choices: [{ text: 'Hi' }] });
    expect(completions.usage).toEqual(responses.usage);
  });
});

describe('answers of embedding models', () => {
  it('become a list in order', () => {
    const titan = resultOf({ embedding: [0.5, 1], inputTextTokenCount: 4 }, { ...facts, form: 'titan-embed' });
    expect(titan).toMatchObject({ ok: true, usage: { input_tokens: 4 }, finishReason: null, warnings: [] });
    expect(JSON.parse(titan.body ?? '')).toEqual({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.5, 1] }],
      model: facts.model,
      usage: { prompt_tokens: 4, total_tokens: 4 },
    });
    for (const embeddings of [[[1], [2]], { float: [[1], [2]] }]) {
      const cohere = resultOf({ embeddings }, { ...facts, form: 'cohere-embed', inputTokens: '9' });
      expect(cohere).toMatchObject({ ok: true, usage: { input_tokens: 9 } });
      expect(JSON.parse(cohere.body ?? '')).toMatchObject({
        data: [
          { index: 0, embedding: [1] },
          { index: 1, embedding: [2] },
        ],
      });
    }
  });

  it('of Cohere in a batch have no usage, which is told and not made up', () => {
    const result = resultOf({ embeddings: [[1]] }, { ...facts, form: 'cohere-embed' });
    expect(result).toMatchObject({
      ok: true,
      usage: null,
      rawUsage: null,
      warnings: [expect.stringContaining('usage')],
    });
  });
});

describe('answers of Claude', () => {
  it('keep every text behind the thinking, count the cache, and are named as Bedrock names them', () => {
    const message = {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude-haiku-4-5-20251001',
      content: [
        { type: 'thinking', thinking: 'Hm.' },
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
      stop_reason: 'end_turn',
      usage: { input_tokens: 2, cache_read_input_tokens: 5, output_tokens: 3 },
    };
    const result = resultOf(message, { ...facts, form: 'claude' });
    expect(result).toMatchObject({
      ok: true,
      servedModel: facts.model,
      usage: { input_tokens: 2, cached_input_tokens: 5, output_tokens: 3 },
    });
    expect(JSON.parse(result.body ?? '')).toMatchObject({
      choices: [{ message: { content: 'ab', reasoning_content: 'Hm.' } }],
    });
  });
});

describe('records of a job', () => {
  it('keep their id when they failed', () => {
    const failed = record({ recordId: 'k-1', modelInput: {}, error: { errorCode: 400, errorMessage: 'bad request' } });
    expect(failed).toMatchObject({
      key: 'k-1',
      result: {
        ok: false,
        failure: { kind: 'invalid_request', status: 400, message: 'bad request', reachedProvider: true },
      },
    });
    expect(JSON.parse(failed.result.body ?? '')).toMatchObject({
      error: { message: 'bad request', code: 'invalid_request' },
    });
  });

  it.each([
    [{ errorCode: '429', errorMessage: 'slow' }, 'rate_limited', 429],
    [{ errorCode: 500, errorMessage: '' }, 'server_error', 500],
    [{ errorCode: 'ModelError' }, 'server_error', null],
    [{ errorCode: 408, errorMessage: 'late', expired: true }, 'expired', 408],
  ])('with error %j failed as %s', (error, kind, status) => {
    expect(record({ recordId: 'k', error }).result).toMatchObject({ ok: false, failure: { kind, status } });
  });

  it('that was not run in time was never billed, unless it has an answer', () => {
    const error = { errorMessage: 'late', expired: true };
    const isBilled = (more: object) => record({ recordId: 'k', error, ...more }).result;
    expect(isBilled({})).toMatchObject({ failure: { kind: 'expired', reachedProvider: false }, usage: null });
    expect(isBilled({ modelOutput: output() })).toMatchObject({ failure: { reachedProvider: true } });
  });

  it.each([
    [{ errorCode: 500, errorMessage: 'late' }, output(), 500, { input_tokens: 7, output_tokens: 3 }],
    [{ errorCode: 'ModelError' }, output(), 200, { input_tokens: 7, output_tokens: 3 }],
    // What an answer used that does not say so is not free.
    [{ errorCode: 500, errorMessage: 'late' }, output({ usage: undefined }), 200, null],
    [{ errorCode: 400, errorMessage: 'none' }, {}, 400, null],
  ])('with error %j and an answer %j failed, and what the answer used counts', (error, modelOutput, status, usage) => {
    const { result } = record({ recordId: 'k', error, modelOutput });
    expect(result).toMatchObject({ ok: false, failure: { status, reachedProvider: true }, usage });
  });

  it('that cannot be read are failures of nobody', () => {
    for (const line of ['{"recordId":"k', '[1]', '"x"']) {
      expect(record(line)).toMatchObject({ key: null, result: { ok: false, failure: { kind: 'bad_response' } } });
    }
    expect(record({ recordId: 'k', modelInput: {} })).toMatchObject({ key: 'k', result: { ok: false } });
    expect(record({ recordId: 7, modelOutput: output() }).key).toBeNull();
  });
});

describe('statuses of a job', () => {
  it.each([
    ['Submitted', 'running', null],
    ['Validating', 'running', null],
    ['Scheduled', 'running', null],
    ['InProgress', 'running', null],
    ['Stopping', 'running', null],
    ['Completed', 'ended', 'completed'],
    ['PartiallyCompleted', 'ended', 'expired'],
    ['Stopped', 'ended', 'cancelled'],
    ['Expired', 'failed', 'expired'],
    ['Failed', 'failed', 'failed'],
    ['completed', 'running', null],
    ['constructor', 'running', null],
    ['', 'running', null],
  ])('%s means %s', (status, state, reason) => {
    expect(stateOf(status)).toEqual({ state, reason });
  });

  it.each([
    ['The role cannot be assumed', 'permission'],
    ['Access denied when reading the input', 'permission'],
    ['The input has 50 records, less than the minimum number of records 100.', 'invalid_request'],
    ['Internal error, try again', 'server_error'],
    ['Too many jobs are in progress', 'quota_full'],
    ['The bucket is in another region than the job.', 'permission'],
    ['The role of line 3 is not one of user, assistant.', 'invalid_request'],
  ])('and its message "%s" means %s', (message, kind) => {
    expect(failureOfJob('Failed', message, 'p', []).kind).toBe(kind);
  });

  it.each([
    ['The provided model identifier is invalid.', 'model'],
    ['Line 7 is no request of this model.', null],
    ['The input is malformed.', null],
  ])('and its message "%s" speaks of %s', (message, param) => {
    expect(failureOfJob('Failed', message, 'p', [])).toMatchObject({ kind: 'invalid_request', param });
  });
});
