import { describe, expect, it } from 'vitest';
import type { Result } from '../../../providers/contract.ts';
import { parseText } from '../../../providers/shared/answer.ts';
import { EmbeddingPieces } from '../../../providers/vertex/embedding-pieces.ts';
import { resultOfEmbeddings, resultOfGemini } from '../../../providers/vertex/results.ts';
import { readRow } from '../../../providers/vertex/rows.ts';
import { failureOfStatusText } from '../../../providers/vertex/status.ts';
import { usageFromGemini } from '../../../providers/vertex/usage.ts';

const context = { provider: 'vx', secrets: [], nowMs: 1_800_000_000_500, model: 'gemini-2.5-flash', requestId: null };

function candidate(parts: object[] | null, finishReason?: string) {
  return { ...(parts !== null && { content: { role: 'model', parts } }), ...(finishReason && { finishReason }) };
}

const usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 4, totalTokenCount: 14 };

function answer(one: object, more: object = {}): Result {
  return resultOfGemini(
    { candidates: [one], usageMetadata, responseId: 'R1', modelVersion: 'gemini-2.5-flash@001', ...more },
    context,
  );
}

function bodyOf(result: Result): Record<string, unknown> {
  if (!result.ok) throw new Error(result.failure.message);
  return JSON.parse(result.body) as Record<string, unknown>;
}

describe('an answer of Gemini in OpenAI’s shape', () => {
  it('is a chat completion, thoughts apart, on one line', () => {
    const parts = [{ text: 'Hm…', thought: true }, { text: 'a\u2028' }, { text: 'b\n' }];
    const result = answer(candidate(parts, 'STOP'), { createTime: '2026-11-01T10:00:00.5Z' });
    expect(bodyOf(result)).toEqual({
      id: 'chatcmpl-R1',
      object: 'chat.completion',
      created: 1_793_527_200,
      model: 'gemini-2.5-flash',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'a\u2028b\n', refusal: null, reasoning_content: 'Hm…' },
          finish_reason: 'stop',
          logprobs: null,
        },
      ],
      usage: {
        prompt_tokens: 10,
        completion_tokens: 4,
        total_tokens: 14,
        prompt_tokens_details: { cached_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0 },
      },
    });
    expect(result).toMatchObject({ servedModel: 'gemini-2.5-flash', finishReason: 'stop', warnings: [], status: 200 });
    expect(result.body).not.toMatch(/[\n\u2028\u2029\u0085]/);
  });

  it.each([
    ['ON_DEMAND', null, 0],
    ['ON_DEMAND_PRIORITY', 'priority', 1],
    ['ON_DEMAND_FLEX', 'flex', 1],
    ['PROVISIONED_THROUGHPUT', 'provisioned_throughput', 1],
  ])('served as %s has the tier %s: other tiers have other prices', (trafficType, serviceTier, warnings) => {
    const result = answer(candidate([{ text: 'a' }], 'STOP'), { usageMetadata: { ...usageMetadata, trafficType } });
    expect(result.ok && [result.serviceTier, result.warnings.length]).toEqual([serviceTier, warnings]);
  });

  it('holds tool calls with stable ids of their own, and their thought signatures', () => {
    const parts = [
      { functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 'c2ln' },
      { functionCall: { id: 'x-7', name: 'g' } },
    ];
    const body = bodyOf(answer(candidate(parts, 'STOP')));
    expect(body.choices).toMatchObject([
      {
        finish_reason: 'tool_calls',
        message: {
          content: null,
          tool_calls: [
            {
              id: 'call_R1_0_0',
              type: 'function',
              function: { name: 'f', arguments: '{"a":1}' },
              extra_content: { google: { thought_signature: 'c2ln' } },
            },
            { id: 'x-7', function: { name: 'g', arguments: '{}' } },
          ],
        },
      },
    ]);
  });

  it.each([
    ['STOP', 'stop'],
    ['MAX_TOKENS', 'length'],
    ['SAFETY', 'content_filter'],
    ['RECITATION', 'content_filter'],
    ['PROHIBITED_CONTENT', 'content_filter'],
    ['SPII', 'content_filter'],
    ['BLOCKLIST', 'content_filter'],
    ['A_WORD_OF_TOMORROW', 'stop'],
  ])('takes finish reason %s for %s', (word, expected) => {
    expect(answer(candidate([{ text: 'x' }], word)).ok && answer(candidate([{ text: 'x' }], word))).toMatchObject({
      finishReason: expected,
    });
  });

  it.each(['MALFORMED_FUNCTION_CALL', 'OTHER', 'UNEXPECTED_TOOL_CALL', 'A_WORD_OF_TOMORROW'])(
    'takes %s without text for a failure that says what it cost',
    (word) => {
      expect(answer(candidate(null, word))).toMatchObject({
        ok: false,
        failure: { kind: 'bad_response', code: word.toLowerCase(), reachedProvider: true },
        usage: { input_tokens: 10, output_tokens: 4 },
      });
    },
  );

  it('lets an answer be empty when all tokens went into thoughts', () => {
    const metadata = { promptTokenCount: 10, thoughtsTokenCount: 20, totalTokenCount: 30 };
    const result = answer(candidate(null, 'MAX_TOKENS'), { usageMetadata: metadata });
    expect(bodyOf(result).choices).toMatchObject([{ finish_reason: 'length', message: { content: '' } }]);
    expect(result.usage).toEqual({ input_tokens: 10, output_tokens: 0, reasoning_tokens: 20 });
  });

  it('turns a blocked prompt into a filtered answer, billed for its input', () => {
    const blocked = {
      promptFeedback: { blockReason: 'SAFETY' },
      usageMetadata: { promptTokenCount: 5, totalTokenCount: 5 },
    };
    const result = resultOfGemini(blocked, context);
    expect(bodyOf(result).choices).toMatchObject([{ finish_reason: 'content_filter', message: { content: null } }]);
    expect(result.usage).toEqual({ input_tokens: 5, output_tokens: 0 });
  });

  it('takes neither candidates nor a reason for no answer', () => {
    expect(resultOfGemini({ usageMetadata }, context)).toMatchObject({ ok: false, failure: { kind: 'bad_response' } });
    expect(resultOfGemini('x', context)).toMatchObject({ ok: false, failure: { kind: 'bad_response' } });
  });

  it('hands on log probabilities and several choices', () => {
    const logprobsResult = {
      chosenCandidates: [{ token: 'é', tokenId: 1, logProbability: -0.5 }],
      topCandidates: [
        {
          candidates: [
            { token: 'é', logProbability: -0.5 },
            { token: 'e', logProbability: -1 },
          ],
        },
      ],
    };
    const two = [{ ...candidate([{ text: 'é' }], 'STOP'), logprobsResult }, candidate([{ text: 'f' }], 'STOP')];
    const body = bodyOf(resultOfGemini({ candidates: two, usageMetadata }, context));
    expect(body.choices).toMatchObject([
      {
        index: 0,
        logprobs: {
          content: [
            {
              token: 'é',
              logprob: -0.5,
              bytes: [195, 169],
              top_logprobs: [{ token: 'é' }, { token: 'e', logprob: -1 }],
            },
          ],
        },
      },
      { index: 1, message: { content: 'f' }, logprobs: null },
    ]);
  });

  it('embeds in the order of the texts, cut to the dimensions asked, in base64 if asked', () => {
    const embedded = [
      { values: [1, 2, 3], tokens: 2, isTruncated: false },
      { values: [4, 5, 6], tokens: 3, isTruncated: true },
    ];
    const result = resultOfEmbeddings(embedded, { encoding: 'float', dimensions: 2 }, context);
    expect(bodyOf(result)).toEqual({
      object: 'list',
      data: [
        { object: 'embedding', index: 0, embedding: [1, 2] },
        { object: 'embedding', index: 1, embedding: [4, 5] },
      ],
      model: 'gemini-2.5-flash',
      usage: { prompt_tokens: 5, total_tokens: 5 },
    });
    expect(result).toMatchObject({ usage: { input_tokens: 5 }, warnings: [expect.stringContaining('too long')] });
    const encoded = bodyOf(resultOfEmbeddings(embedded, { encoding: 'base64', dimensions: null }, context));
    const [first] = encoded.data as { embedding: string }[];
    const floats = new Float32Array(new Uint8Array(Buffer.from(first?.embedding ?? '', 'base64')).buffer);
    expect([...floats]).toEqual([1, 2, 3]);
    expect(resultOfEmbeddings(embedded, { encoding: 'float', dimensions: 9 }, context).ok).toBe(false);
  });
});

describe('usage of Gemini', () => {
  const read = (metadata: object) => usageFromGemini({ usageMetadata: metadata });

  it('has cached tokens within the prompt, and thoughts beside the candidates', () => {
    const metadata = {
      promptTokenCount: 100,
      cachedContentTokenCount: 60,
      toolUsePromptTokenCount: 5,
      candidatesTokenCount: 20,
      thoughtsTokenCount: 30,
      totalTokenCount: 155,
    };
    expect(read(metadata)).toEqual({
      usage: { input_tokens: 45, cached_input_tokens: 60, output_tokens: 20, reasoning_tokens: 30 },
      raw: metadata,
      problems: [],
    });
  });

  it('keeps audio apart, cached audio too', () => {
    const metadata = {
      promptTokenCount: 100,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 60 },
        { modality: 'AUDIO', tokenCount: 40 },
      ],
      cachedContentTokenCount: 30,
      cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 10 }],
      totalTokenCount: 100,
    };
    expect(read(metadata).usage).toEqual({
      input_tokens: 40,
      cached_input_tokens: 20,
      input_audio_tokens: 30,
      cached_audio_tokens: 10,
      output_tokens: 0,
    });
  });

  it('says what cannot be: more cached than prompt, a total of its own, counts that are none, all zero', () => {
    expect(read({ promptTokenCount: 5, cachedContentTokenCount: 9, totalTokenCount: 5 }).problems).toHaveLength(1);
    expect(read({ promptTokenCount: 5, totalTokenCount: 50 }).problems).toHaveLength(1);
    expect(read({ promptTokenCount: '5' }).usage).toBeNull();
    expect(read({ promptTokenCount: 0, totalTokenCount: 0 }).problems).toEqual(['every count is zero']);
    expect(usageFromGemini({})).toEqual({ usage: null, raw: null, problems: [] });
  });
});

describe('a row of a job’s output', () => {
  const response = { candidates: [candidate([{ text: 'Hi' }], 'STOP')], usageMetadata, responseId: 'R' };
  const row = (fields: object, kind: 'gemini' | 'claude' | 'embedding' = 'gemini') => {
    const read = readRow(parseText(JSON.stringify(fields)), kind, context);
    if (read.piece !== null) throw new Error('a piece');
    return read.result;
  };

  it('is matched by its key, or by the label in its echo, whatever else was re-serialised', () => {
    const echo = (key: string) => ({
      contents: [{ parts: [{ text: 'x', file_data: null }] }],
      labels: { weir_key: key },
    });
    expect(row({ key: 'r-1', request: echo('r-1'), status: '', response })).toMatchObject({
      key: 'r-1',
      result: { ok: true },
    });
    expect(row({ request: echo('r-2'), status: '', response })).toMatchObject({ key: 'r-2', result: { ok: true } });
    expect(row({ key: 'r-3', request: {}, status: '', response })).toMatchObject({ key: 'r-3', result: { ok: true } });
    expect(row({ request: {}, status: '', response })).toMatchObject({ key: null, result: { ok: true } });
    const failed = { instance: { key: 'r-4', request: echo('r-4') }, error: { code: 8, message: 'Quota' } };
    expect(row(failed)).toMatchObject({ key: 'r-4', result: { failure: { kind: 'rate_limited' } } });
  });

  const used = { input_tokens: 10, output_tokens: 4 };

  it('is a failure when its echo is of another line, and what it used counts', () => {
    const swapped = { key: 'r-1', request: { labels: { weir_key: 'r-2' } }, status: '', response };
    const result = { ok: false, failure: { code: 'answer_mixed_up' }, usage: used };
    expect(row(swapped)).toMatchObject({ key: 'r-1', result });
  });

  it('with both an error and an answer is a failure whose tokens count', () => {
    const failed = { key: 'r-1', request: {}, status: 'Internal error occurred.', response };
    expect(row(failed).result).toMatchObject({
      ok: false,
      failure: { kind: 'server_error', status: 500 },
      usage: used,
    });
    const message = { content: [{ type: 'text', text: 'Hi' }], usage: { input_tokens: 3, output_tokens: 1 } };
    const claude = {
      custom_id: 'r-1',
      error: { code: 13, message: 'Lost' },
      response: { type: 'message', ...message },
    };
    expect(row(claude, 'claude').result).toMatchObject({ ok: false, usage: { input_tokens: 3, output_tokens: 1 } });
  });

  it('is put together with the other texts of its request: embeddings count before failures, which tell what those used', () => {
    const text = (index: number, more: object) => {
      const line = JSON.stringify({ instance: { content: 'x', key: `r-1.${index}.2.0.float` }, ...more });
      const read = readRow(parseText(line), 'embedding', context);
      if (read.piece === null) throw new Error('no piece');
      return read;
    };
    const good = { status: '', predictions: [{ embeddings: { values: [1], statistics: { token_count: 4 } } }] };
    const bad = { status: 'Internal error occurred.' };
    const add = (rows: object[]) => {
      const pieces = new EmbeddingPieces(null, context, 1_000);
      const whole = rows.map((more, index) => pieces.add(text(index % 2, more)));
      return [...whole.filter((each) => each !== null), ...pieces.rest()].map(({ result }) => result);
    };
    expect(add([bad, good, good])).toMatchObject([{ ok: true, usage: { input_tokens: 8 } }]);
    expect(add([good, bad])).toMatchObject([{ ok: false, failure: { status: 500 }, usage: { input_tokens: 4 } }]);
    expect(add([good, { ...good, ...bad }])).toMatchObject([{ ok: false, usage: { input_tokens: 8 } }]);
    expect(add([bad, bad])).toMatchObject([{ ok: false, usage: null }]);
  });

  it.each([
    [
      'Bad Request: {"error": {"code": 400, "message": "Bad image", "status": "INVALID_ARGUMENT"}}',
      'invalid_request',
      400,
    ],
    ['{"code": 8, "message": "Resource exhausted"}', 'rate_limited', 429],
    ['{"code": 429, "message": "Resource exhausted"}', 'rate_limited', 429],
    ['RESOURCE_EXHAUSTED: try later', 'rate_limited', 429],
    ['Bad Request', 'invalid_request', 400],
    ['Internal error occurred.', 'server_error', 500],
    ['UNAVAILABLE', 'overloaded', 503],
    ['{"error":{"code":404,"message":"Publisher Model `x` was not found"}}', 'not_found', 404],
    [
      'The input token count (2000000) exceeds the maximum number of tokens allowed (1048576). 400',
      'invalid_request',
      400,
    ],
  ])('fails with status %j', (status, kind, http) => {
    const failure = failureOfStatusText(status, context);
    expect(failure).toMatchObject({ kind, status: http, reachedProvider: true });
    expect(row({ key: 'r-1', status, response: {} })).toMatchObject({ key: 'r-1', result: { ok: false, failure } });
  });

  it('is a failure without an answer, an error or JSON, and keeps its text', () => {
    for (const fields of [
      { key: 'r-1', status: '' },
      { key: 'r-1', status: '', response: {} },
      { key: 'r-1', response: 7 },
    ]) {
      expect(row(fields)).toMatchObject({ key: 'r-1', result: { ok: false, failure: { kind: 'bad_response' } } });
    }
    for (const text of ['', 'null', '7', '[1]', '{"key":', '"x"']) {
      const read = readRow(parseText(text), 'gemini', context);
      expect(read).toMatchObject({ piece: null, result: { key: null, raw: text, result: { ok: false } } });
    }
  });

  it('does not take a key that is not ours for one', () => {
    expect(row({ key: '__proto__', request: {}, status: '', response }).key).toBeNull();
    expect(row({ key: 7, request: {}, status: '', response }).key).toBeNull();
    expect(row({ custom_id: 'r'.repeat(33), status: '', response }, 'claude').key).toBeNull();
  });
});
