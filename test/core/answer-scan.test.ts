import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forwardedAnswer } from '../../providers/shared/openai-forwarded.ts';
import { resultOf } from '../../providers/shared/openai-results.ts';
import { readers } from '../../providers/vllm/results.ts';
import { AnswerScanner } from '../../src/core/answer-scan.ts';

const context = { provider: 'pool', secrets: [], nowMs: 0 };
const scanner = new AnswerScanner();

function responseOf(text: string) {
  return { status: 200, headers: { 'x-request-id': 'r-1' }, body: Buffer.from(text) };
}

const odd = fc.constantFrom('abort', 'error', 'ü€𝄞', 'a"b', 'x\u2028y', 'z\u0085', '');
const word = fc.oneof({ weight: 20, arbitrary: fc.constantFrom('stop', 'length', 'gpt-4o-mini', 'default') }, odd);
const leaf = fc.oneof(word, fc.string({ unit: 'binary' }), fc.double(), fc.integer(), fc.boolean(), fc.constant(null));
const value = fc.oneof({ weight: 4, arbitrary: leaf }, fc.jsonValue({ maxDepth: 2 }));
const usually = (common: fc.Arbitrary<unknown>) => fc.oneof({ weight: 30, arbitrary: common }, value);
const record = (members: Record<string, fc.Arbitrary<unknown>>, requiredKeys: string[] = []) =>
  fc.record(Object.fromEntries(Object.entries(members).map(([name, each]) => [name, usually(each)])), { requiredKeys });
const choice = record(
  { message: record({ role: word, content: word, refusal: leaf }), text: word, finish_reason: word, index: fc.nat() },
  ['message', 'text'],
);
const item = record(
  { embedding: fc.oneof(fc.array(fc.integer().map((whole) => whole / 1024)), word), index: fc.nat() },
  ['embedding'],
);
const count = fc.oneof({ weight: 20, arbitrary: fc.nat({ max: 500 }) }, value);
const usage = record({
  prompt_tokens: count,
  completion_tokens: count,
  total_tokens: count,
  prompt_tokens_details: record({ cached_tokens: count }),
});
const facts = {
  id: word,
  object: fc.constantFrom('list', 'chat.completion'),
  model: word,
  service_tier: fc.oneof(word, fc.constant('priority')),
  usage,
  error: fc.constant(null),
};
const choices = fc.array(choice, { minLength: 1, maxLength: 3 });
const data = fc.array(item, { minLength: 1, maxLength: 3 });
const answer = fc.oneof(
  record({ ...facts, choices }, ['choices']),
  record({ ...facts, data }, ['data']),
  record({ ...facts, choices, data }),
);
const endpoints = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'] as const;

describe('an answer that is not parsed', () => {
  it('is read as the parsed one is', () => {
    let scanned = 0;
    fc.assert(
      fc.property(answer, fc.constantFrom(...endpoints), (body, endpoint) => {
        const text = JSON.stringify(body);
        const lean = forwardedAnswer(endpoint, responseOf(text), readers);
        if (lean === null) return;
        scanned += 1;
        const full = resultOf(endpoint, responseOf(text), context, readers);
        expect({ ...lean, body: lean.body, bytes: undefined }).toEqual({ ...full, bytes: undefined });
      }),
      { numRuns: 4000 },
    );
    expect(scanned).toBeGreaterThan(300);
  });

  it('is whole JSON: no cut of it is taken, nor a byte too many', () => {
    const text = JSON.stringify({
      id: 'x',
      model: 'm',
      choices: [{ index: 0, message: { role: 'assistant', content: 'ü "quoted" \\' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    });
    const bytes = Buffer.from(text);
    expect(scanner.scan('/v1/chat/completions', bytes)).toMatchObject({ model: 'm', finishReasons: ['stop'] });
    for (let end = 0; end < bytes.length; end++) {
      expect(scanner.scan('/v1/chat/completions', bytes.subarray(0, end)), String(end)).toBeNull();
    }
    expect(scanner.scan('/v1/chat/completions', Buffer.from(`${text}}`))).toBeNull();
    expect(scanner.scan('/v1/chat/completions', Buffer.from(`${text}\u2028`))).toBeNull();
  });

  it('may be larger than the place that small ones are read in', () => {
    const content = 'ü'.repeat(50_000);
    const text = JSON.stringify({ choices: [{ message: { content }, finish_reason: 'length' }] });
    expect(scanner.scan('/v1/chat/completions', Buffer.from(text))?.finishReasons).toEqual(['length']);
    expect(forwardedAnswer('/v1/chat/completions', responseOf(text), readers)?.body).toBe(text);
  });
});
