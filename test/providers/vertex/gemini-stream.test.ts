import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sseFrame } from '../../../providers/sandbox/servers/native-streams.ts';
import { geminiEvents } from '../../../providers/sandbox/servers/vertex-events.ts';
import { toAnswerStream } from '../../../providers/shared/native-stream.ts';
import { GeminiStream } from '../../../providers/vertex/gemini-stream.ts';
import { resultOfGemini } from '../../../providers/vertex/results.ts';
import type { Endpoint } from '../../../src/protocol/endpoint.ts';
import { cuts, endpoints, heardOf, inPieces, texts, wholeOf } from '../shared/native-streams.ts';

const context = { provider: 'p', secrets: [], nowMs: 1_790_000_000_500, requestId: 'req_1', model: 'gemini-2.5-flash' };
const head = { modelVersion: 'gemini-2.5-flash@default', responseId: 'abc', createTime: '2026-11-01T10:00:00.1Z' };
const read = (answer: unknown) => resultOfGemini(answer, context);

const called = fc
  .record({
    name: fc.constantFrom('f', 'g'),
    args: fc.option(fc.dictionary(fc.constant('a'), fc.jsonValue({ maxDepth: 1 })), { nil: undefined }),
  })
  .map((functionCall) => ({ functionCall, thoughtSignature: 'sig' }));
const parts = fc
  .tuple(
    fc.array(
      texts.map((text) => ({ text, thought: true })),
      { maxLength: 2 },
    ),
    fc.array(
      texts.map((text) => ({ text })),
      { maxLength: 3 },
    ),
    fc.array(called, { maxLength: 2 }),
  )
  .map((lists) => lists.flat());
const logprobs = { chosenCandidates: [{ token: 'a', logProbability: -1 }, { token: 'ü' }], topCandidates: [] };
const candidates = fc.record({
  content: fc.oneof(
    fc.constant({ role: 'model' }),
    parts.map((list) => ({ role: 'model', parts: list })),
  ),
  finishReason: fc.constantFrom('STOP', 'MAX_TOKENS', 'SAFETY'),
  logprobsResult: fc.constantFrom(undefined, logprobs),
});
const usages = fc.constantFrom(undefined, {
  promptTokenCount: 10,
  candidatesTokenCount: 4,
  thoughtsTokenCount: 7,
  cachedContentTokenCount: 5,
  totalTokenCount: 21,
  trafficType: 'ON_DEMAND',
});
const answers = fc.oneof(
  fc.record({ candidates: fc.array(candidates, { minLength: 1, maxLength: 2 }), usageMetadata: usages }),
  fc.constant({
    promptFeedback: { blockReason: 'SAFETY' },
    usageMetadata: { promptTokenCount: 3, totalTokenCount: 3 },
  }),
);

/** As over the wire: members without a value are absent. */
function plain(value: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
}

function bytesOf(events: readonly object[]): Uint8Array {
  return Buffer.concat(events.map((event) => sseFrame(null, event)));
}

function open(endpoint: Endpoint, events: readonly object[], at: readonly number[] = []) {
  const mapper = new GeminiStream(context);
  const stream = { endpoint, context, requestId: 'req_1', mapper, whole: () => read(null) };
  return toAnswerStream(inPieces(bytesOf(events), at, 'text/event-stream'), stream);
}

describe('the stream of a Gemini model', () => {
  it('says the same as the answer that comes whole, wherever the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(answers, cuts, fc.constantFrom(...endpoints), async (said, at, endpoint) => {
        const { candidates: list, ...others } = plain({ ...head, ...said });
        // Candidates after the first tell their place; the other endpoints have room for one.
        const placed = (list as object[] | undefined)?.map((one, index) => (index === 0 ? one : { ...one, index }));
        const kept = endpoint === '/v1/chat/completions' ? placed : placed?.slice(0, 1);
        const answer = { ...others, ...(kept && { candidates: kept }) };
        const whole = read(answer);
        const { body, known } = await heardOf(endpoint, await open(endpoint, geminiEvents(answer), at));
        expect({ body, known: { ...known, finishReason: null } }).toEqual({
          body: wholeOf(endpoint, whole).body,
          known: { ...wholeOf(endpoint, whole).known, finishReason: null },
        });
      }),
      { numRuns: 300 },
    );
  });

  it('fails as the service states it, with what it cost', async () => {
    const text = { candidates: [{ content: { role: 'model', parts: [{ text: 'It is four.' }] } }] };
    const usageMetadata = { promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 5 };
    const chat = '/v1/chat/completions';
    const stated = { error: { code: 429, message: 'Resource exhausted.', status: 'RESOURCE_EXHAUSTED' } };
    expect(await open(chat, [stated])).toMatchObject({ ok: false, failure: { kind: 'rate_limited', status: 429 } });
    const broken = { ...head, candidates: [{ finishReason: 'MALFORMED_FUNCTION_CALL' }], usageMetadata };
    expect(await open(chat, [broken])).toMatchObject({
      ok: false,
      failure: { kind: 'bad_response', code: 'malformed_function_call' },
      usage: { input_tokens: 3, output_tokens: 2 },
    });
    expect(await open(chat, [{ ...head, usageMetadata }])).toMatchObject({
      ok: false,
      failure: { kind: 'bad_response' },
    });
    expect(await open(chat, [])).toMatchObject({ ok: false, failure: { kind: 'connection', reachedProvider: true } });
    await expect(heardOf(chat, await open(chat, [text, stated]))).rejects.toMatchObject({ failure: { status: 429 } });
    // No reason to end was given: it broke off.
    await expect(heardOf(chat, await open(chat, [text]))).rejects.toMatchObject({ failure: { kind: 'connection' } });
    const late = await open(chat, [text, broken]);
    if (!late.ok) throw new Error(late.failure.message);
    const usages: unknown[] = [];
    const reading = (async () => {
      for await (const { usage } of late.pieces) usages.push(usage);
    })();
    await expect(reading).rejects.toMatchObject({ failure: { code: 'malformed_function_call' } });
    expect(usages.at(-1)).toEqual({ input_tokens: 3, output_tokens: 2 });
  });
});
