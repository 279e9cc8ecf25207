import { describe, expect, it } from 'vitest';
import { defectOf } from '../../src/core/answer-defects.ts';
import { judgeAnswer, raiseLimits, resumeAt, type Unfit, type Verdict } from '../../src/core/healing.ts';
import { healingRules, withLimit } from '../../src/core/healing-rules.ts';
import type { Candidate, HealingRules } from '../../src/core/lane.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';

const RULES = healingRules({ on_truncation: 'retry', on_invalid_json: 'retry', on_refusal: 'retry' }, undefined)!;

const chat = (message: object, finish = 'stop') => JSON.stringify({ choices: [{ message, finish_reason: finish }] });
const response = (content: object[], more: object = {}) => JSON.stringify({ output: [{ content }], ...more });

function candidate(name: string, healing?: HealingRules): Candidate {
  return { provider: name, model: 'm', ...(healing && { healing }) } as Candidate;
}

describe('defectOf', () => {
  const SCHEMA = {
    type: 'json_schema',
    json_schema: {
      name: 'n',
      schema: {
        type: 'object',
        required: ['total'],
        properties: { total: { type: 'number' } },
        additionalProperties: false,
      },
    },
  };
  const asked = (format: unknown) => ({ response_format: format });

  it.each<[string, Endpoint, object, string, string | null]>([
    ['a whole answer', '/v1/chat/completions', {}, chat({ content: 'four' }), null],
    ['a cut chat answer', '/v1/chat/completions', {}, chat({ content: 'fo' }, 'length'), 'truncation'],
    [
      'a cut completion',
      '/v1/completions',
      {},
      JSON.stringify({ choices: [{ text: 'a', finish_reason: 'length' }] }),
      'truncation',
    ],
    [
      'a cut response',
      '/v1/responses',
      {},
      response([{ type: 'output_text', text: 'a' }], { incomplete_details: { reason: 'max_output_tokens' } }),
      'truncation',
    ],
    ['the model’s refusal', '/v1/chat/completions', {}, chat({ content: null, refusal: 'I cannot.' }), 'refusal'],
    ['a filter', '/v1/chat/completions', {}, chat({ content: 'a' }, 'content_filter'), 'refusal'],
    ['a refusal in a response', '/v1/responses', {}, response([{ type: 'refusal', refusal: 'No.' }]), 'refusal'],
    ['no JSON', '/v1/chat/completions', asked({ type: 'json_object' }), chat({ content: '{"a":' }), 'invalid_json'],
    [
      'JSON that is no object',
      '/v1/chat/completions',
      asked({ type: 'json_object' }),
      chat({ content: '[1]' }),
      'invalid_json',
    ],
    ['JSON as asked', '/v1/chat/completions', asked({ type: 'json_object' }), chat({ content: ' {"a":1}\n' }), null],
    ['JSON by its schema', '/v1/chat/completions', asked(SCHEMA), chat({ content: '{"total":4}' }), null],
    ['a wrong member', '/v1/chat/completions', asked(SCHEMA), chat({ content: '{"total":"4"}' }), 'invalid_json'],
    ['a missing member', '/v1/chat/completions', asked(SCHEMA), chat({ content: '{}' }), 'invalid_json'],
    [
      'a response that misses its schema',
      '/v1/responses',
      { text: { format: { type: 'json_schema', name: 'n', schema: SCHEMA.json_schema.schema } } },
      response([{ type: 'output_text', text: '{"sum":4}' }]),
      'invalid_json',
    ],
    [
      'a call of a tool',
      '/v1/chat/completions',
      asked(SCHEMA),
      chat({ content: null, tool_calls: [{}] }, 'tool_calls'),
      null,
    ],
    [
      'words beside a call of a tool',
      '/v1/chat/completions',
      asked(SCHEMA),
      chat({ content: 'I look that up.', tool_calls: [{ id: 'c', type: 'function' }] }, 'tool_calls'),
      null,
    ],
    [
      'a response that calls a function',
      '/v1/responses',
      { text: { format: { type: 'json_object' } } },
      JSON.stringify({
        output: [{ type: 'message', content: [{ type: 'output_text', text: 'Wait.' }] }, { type: 'function_call' }],
      }),
      null,
    ],
    [
      'words after a search at the provider',
      '/v1/responses',
      { text: { format: { type: 'json_object' } } },
      JSON.stringify({
        output: [{ type: 'web_search_call' }, { type: 'message', content: [{ type: 'output_text', text: 'Four.' }] }],
      }),
      'invalid_json',
    ],
    [
      'JSON that misses a pattern',
      '/v1/chat/completions',
      asked({ type: 'json_schema', json_schema: { schema: { properties: { iso: { pattern: '^[A-Z]{3}$' } } } } }),
      chat({ content: '{"iso":"eur"}' }),
      'invalid_json',
    ],
    [
      'vLLM’s guided_json',
      '/v1/chat/completions',
      { guided_json: '{"required":["a"]}' },
      chat({ content: '{}' }),
      'invalid_json',
    ],
    [
      'vLLM’s structured_outputs',
      '/v1/completions',
      { structured_outputs: { json: { required: ['a'] } } },
      JSON.stringify({ choices: [{ text: '{"b":1}' }] }),
      'invalid_json',
    ],
    [
      'vLLM’s structured_outputs for any object',
      '/v1/chat/completions',
      { structured_outputs: { json_object: true } },
      chat({ content: '{"b":1}' }),
      null,
    ],
    [
      'vLLM’s structured_outputs that ask for no JSON',
      '/v1/chat/completions',
      { structured_outputs: { regex: 'a+' } },
      chat({ content: 'aa' }),
      null,
    ],
    ['no text at all', '/v1/chat/completions', asked(SCHEMA), chat({ content: null }), 'invalid_json'],
    [
      'JSON among parts',
      '/v1/chat/completions',
      asked(SCHEMA),
      chat({ content: [{ type: 'thinking' }, { type: 'text', text: '{"total":4}' }] }),
      null,
    ],
    [
      'one of two alternatives without JSON',
      '/v1/chat/completions',
      asked(SCHEMA),
      JSON.stringify({ choices: ['{"total":4}', 'four'].map((content) => ({ message: { content } })) }),
      'invalid_json',
    ],
    ['text where text was asked', '/v1/chat/completions', asked({ type: 'text' }), chat({ content: 'four' }), null],
    ['embeddings', '/v1/embeddings', {}, JSON.stringify({ data: [] }), null],
  ])('%s', (_name, endpoint, request, body, wanted) => {
    expect(defectOf({ endpoint, request: request as Record<string, unknown>, body }, RULES)?.defect ?? null).toBe(
      wanted,
    );
  });

  it('sees only what the rules speak of, and says where a schema is missed', () => {
    const cut = { endpoint: '/v1/chat/completions' as const, request: {}, body: chat({ content: 'a' }, 'length') };
    expect(defectOf(cut, { refusal: RULES.refusal! })).toBeNull();
    const wrong = { ...cut, request: asked(SCHEMA), body: chat({ content: '{"total":"4"}' }) };
    expect(defectOf(wrong, RULES)?.detail).toContain('total');
    const odd = { ...wrong, request: asked({ type: 'json_schema', json_schema: { schema: { $ref: '#/nowhere' } } }) };
    expect(() => defectOf(odd, RULES)).not.toThrow();
  });

  it('looks at every alternative', () => {
    const body = JSON.stringify({
      choices: [
        { message: { content: 'whole' }, finish_reason: 'stop' },
        { message: { content: 'cu' }, finish_reason: 'length' },
      ],
    });
    expect(defectOf({ endpoint: '/v1/chat/completions', request: {}, body }, RULES)?.defect).toBe('truncation');
  });
});

describe('judgeAnswer', () => {
  const CUT = {
    endpoint: '/v1/chat/completions' as const,
    request: { max_tokens: 8 },
    body: chat({ content: 'a' }, 'length'),
  };
  const unfit = (target: string): Unfit => ({ code: 'answer_truncated', target });

  function judge(
    rule: Parameters<typeof healingRules>[0]['on_truncation'],
    change: { before?: Unfit[]; to?: number[]; request?: object; body?: string } = {},
  ): Verdict {
    const healing = healingRules({ on_truncation: rule }, undefined);
    const can = change.to ?? [0, 1];
    return judgeAnswer(
      {
        ...CUT,
        ...(change.request && { request: change.request as Record<string, unknown> }),
        ...(change.body !== undefined && { body: change.body }),
      },
      {
        candidates: [candidate('a', healing), candidate('b', healing)],
        from: 0,
        before: change.before ?? [],
        canGo: (index) => can.includes(index),
      },
    );
  }

  it('takes any answer where no rule speaks of it', () => {
    expect(judge('accept')).toEqual({ do: 'take', warning: null });
  });

  it('fails an answer with its code, and keeps to what it says', () => {
    expect(judge('fail')).toMatchObject({ do: 'fail', failure: { code: 'answer_truncated', status: 200 } });
  });

  it('tries again as often as the rule says, then fails or takes the answer as it is, and says so', () => {
    const rule = { action: 'retry' as const, attempts: 2 };
    expect(judge(rule)).toMatchObject({ do: 'retry', candidate: 0, code: 'answer_truncated' });
    expect(judge(rule, { before: [unfit('a/m')] })).toMatchObject({ do: 'retry' });
    const spent = { before: [unfit('a/m'), unfit('a/m')] };
    expect(judge(rule, spent)).toMatchObject({
      do: 'fail',
      failure: { message: expect.stringContaining('2 retries') },
    });
    const lenient = judge({ ...rule, otherwise: 'accept' }, spent);
    expect(lenient).toMatchObject({ do: 'take', warning: expect.stringContaining('taken as it is') });
    expect(judge('retry', { before: [{ code: 'answer_refused', target: 'a/m' }] })).toMatchObject({ do: 'retry' });
  });

  it('goes to the next target when it is told to, or when the same one could only answer the same', () => {
    expect(judge({ action: 'retry', to: 'next' })).toMatchObject({ candidate: 1 });
    expect(judge({ action: 'retry', to: 'next' }, { to: [0] })).toMatchObject({ candidate: 0 });
    expect(judge('retry', { to: [1] })).toMatchObject({ candidate: 1 });
    // Without a limit in the request there is none to raise.
    expect(judge('retry', { request: {} })).toMatchObject({ candidate: 1 });
    expect(judge('retry', { request: {}, to: [0] })).toMatchObject({ do: 'fail' });
  });

  it('asks for no more where the answer ended long before its limit: its context is full', () => {
    const cutAt = (usage: object, choices: object[] = [{ message: { content: 'a' }, finish_reason: 'length' }]) =>
      judge('retry', { request: { max_tokens: 100 }, to: [0], body: JSON.stringify({ choices, usage }) });
    expect(cutAt({ completion_tokens: 40 })).toMatchObject({ do: 'fail', failure: { code: 'answer_truncated' } });
    expect(cutAt({ completion_tokens: 98 })).toMatchObject({ do: 'retry', candidate: 0 });
    const thought = { completion_tokens: 10, prompt_tokens: 20, total_tokens: 128 };
    expect(cutAt(thought)).toMatchObject({ do: 'retry', candidate: 0 });
    expect(cutAt({})).toMatchObject({ do: 'retry', candidate: 0 });
    const alternatives = ['stop', 'length'].map((end) => ({ message: { content: 'a' }, finish_reason: end }));
    expect(cutAt({ completion_tokens: 40 }, alternatives)).toMatchObject({ do: 'retry', candidate: 0 });
  });

  it('goes on after a crash where it would have gone', () => {
    const to = (rule: Parameters<typeof healingRules>[0]['on_truncation']) => [
      candidate('a', healingRules({ on_truncation: rule }, undefined)),
      candidate('b'),
    ];
    expect(resumeAt(to({ action: 'retry', to: 'next' }), [unfit('a/m')])).toBe(1);
    expect(resumeAt(to({ action: 'retry', to: 'same' }), [unfit('a/m')])).toBe(0);
    expect(resumeAt(to({ action: 'retry', to: 'next' }), [unfit('gone/m')])).toBe(0);
    expect(resumeAt(to({ action: 'retry', to: 'next' }), [])).toBe(0);
  });
});

describe('raiseLimits', () => {
  it('multiplies each limit once for each answer that was cut off', () => {
    const healing = healingRules({ on_truncation: { action: 'retry', max_tokens_factor: 1.5 } }, undefined);
    const cut = { code: 'answer_truncated', target: 'a/m' };
    const request = { max_tokens: 10, max_completion_tokens: 7, temperature: 1 };
    const raise = (before: Unfit[]) => raiseLimits(request, candidate('a', healing), before);
    expect(raise([])).toBe(request);
    expect(raise([{ ...cut, code: 'answer_refused' }])).toBe(request);
    expect(raise([cut, cut])).toEqual({ max_tokens: 23, max_completion_tokens: 16, temperature: 1 });
    expect(raiseLimits(request, candidate('a'), [cut])).toBe(request);
  });

  it('begins with what the target gives requests that name none, and ends with the most that it can be asked for', () => {
    const rules = healingRules({ on_truncation: { action: 'retry', attempts: 9 } }, undefined)!;
    const healing = withLimit(rules, { usual: 10, most: 35 });
    const cut = { code: 'answer_truncated', target: 'a/m' };
    const raise = (request: Record<string, unknown>, times: number) =>
      raiseLimits(
        request,
        candidate('a', healing),
        Array.from({ length: times }, () => cut),
      );
    const [chatAsked, asked] = [{ messages: [], max_tokens: null }, { input: 'a' }];
    expect(raise(chatAsked, 1)).toEqual({ messages: [], max_tokens: 20 });
    expect(raise(chatAsked, 2)).toEqual({ messages: [], max_tokens: 35 });
    expect(raise(asked, 1)).toEqual({ input: 'a', max_output_tokens: 20 });
    const most = { max_tokens: 40 };
    expect(raise(most, 1)).toBe(most);
    const judged = (request: Record<string, unknown>, before: number): Verdict['do'] => {
      const body = chat({ content: 'a' }, 'length');
      const line = { candidates: [candidate('a', healing)], from: 0, canGo: (index: number) => index === 0 };
      const answer = { endpoint: '/v1/chat/completions' as const, request, body };
      return judgeAnswer(answer, { ...line, before: Array.from({ length: before }, () => cut) }).do;
    };
    expect([0, 1, 2, 3].map((before) => judged(chatAsked, before))).toEqual(['retry', 'retry', 'fail', 'fail']);
    expect([judged({ max_tokens: 20 }, 0), judged({ max_tokens: 20 }, 1), judged(most, 0)]).toEqual([
      'retry',
      'fail',
      'fail',
    ]);
  });
});

describe('healingRules', () => {
  it('inherits rules from above, cause by cause, and takes them off again', () => {
    const above = healingRules({ on_truncation: 'retry', on_refusal: 'fail' }, undefined);
    expect(healingRules({}, above)).toEqual(above);
    expect(Object.keys(healingRules({ on_refusal: 'accept' }, above)!)).toEqual(['truncation']);
    expect(healingRules({ on_refusal: 'accept', on_truncation: 'accept' }, above)).toBeUndefined();
    expect(healingRules({ on_truncation: { action: 'retry', attempts: 3 } }, above)?.truncation?.attempts).toBe(3);
  });
});
