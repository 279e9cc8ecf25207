import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConverseStream } from '../../../providers/bedrock/converse-stream.ts';
import { eventStreamType, readAwsEvents } from '../../../providers/bedrock/event-stream.ts';
import { converseResult } from '../../../providers/bedrock/results.ts';
import type { AnswerStream, Failed } from '../../../providers/contract.ts';
import { awsFrame, bedrockFrames } from '../../../providers/sandbox/servers/bedrock-events.ts';
import { toAnswerStream } from '../../../providers/shared/native-stream.ts';
import type { Endpoint } from '../../../src/protocol/endpoint.ts';
import { cuts, endpoints, heardOf, inPieces, texts, wholeOf } from '../shared/native-streams.ts';

const context = { provider: 'p', secrets: [], nowMs: 1_790_000_000_500 };
const facts = { ...context, form: 'converse', model: 'nova', id: 'chatcmpl-1', requestId: 'r', created: 1 } as const;
const read = (output: Record<string, unknown>) =>
  converseResult(output, { ...facts, endpoint: '/v1/chat/completions' });

const thought = texts.map((text) => ({ reasoningContent: { reasoningText: { text } } }));
const said = texts.map((text) => ({ text }));
const call = fc
  .record({
    toolUseId: fc.uuid(),
    name: fc.constantFrom('f', 'g'),
    input: fc.dictionary(fc.constant('ü'), fc.jsonValue({ maxDepth: 1 })),
  })
  .map((toolUse) => ({ toolUse }));
const answers = fc
  .record({
    blocks: fc.tuple(
      fc.array(thought, { maxLength: 2 }),
      fc.array(said, { maxLength: 3 }),
      fc.array(call, { maxLength: 2 }),
    ),
    stopReason: fc.constantFrom('end_turn', 'tool_use', 'max_tokens', 'guardrail_intervened', 'odd'),
    usage: fc.constantFrom(
      undefined,
      { inputTokens: 3, outputTokens: 4, totalTokens: 7 },
      { inputTokens: 3, outputTokens: 4, totalTokens: 27, cacheReadInputTokens: 15, cacheWriteInputTokens: 5 },
    ),
  })
  .map(({ blocks, stopReason, usage }) => ({
    output: { message: { role: 'assistant', content: blocks.flat() } },
    stopReason,
    ...(usage && { usage }),
  }));

function open(
  endpoint: Endpoint,
  frames: readonly Uint8Array[],
  at: readonly number[] = [],
): Promise<AnswerStream | Failed> {
  return toAnswerStream(inPieces(Buffer.concat(frames), at, eventStreamType), {
    endpoint,
    context,
    requestId: 'r',
    mapper: new ConverseStream(context, read),
    type: eventStreamType,
    whole: () => read({}),
    async *events(response) {
      for await (const { type, data } of readAwsEvents(response, context)) yield { [type]: data };
    },
  });
}

const plain = { output: { message: { role: 'assistant', content: [{ text: 'It is four, as was said.' }] } } };
const frames = bedrockFrames('converse', {
  ...plain,
  stopReason: 'end_turn',
  usage: { inputTokens: 3, outputTokens: 4 },
});
const chat = '/v1/chat/completions';

describe('the event stream of Converse', () => {
  it('says the same as the answer that comes whole, wherever the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(answers, cuts, fc.constantFrom(...endpoints), async (answer, at, endpoint) => {
        const { body, known } = await heardOf(endpoint, await open(endpoint, bedrockFrames('converse', answer), at));
        expect({ body, known }).toEqual(wholeOf(endpoint, read(answer)));
      }),
      { numRuns: 200 },
    );
  });

  it('never takes damaged bytes for an answer, whichever byte it is', async () => {
    const bytes = Buffer.concat(frames);
    const outcomes = new Set<string>();
    for (let place = 0; place < bytes.length; place += 1) {
      const damaged = Uint8Array.from(bytes);
      damaged[place] = (damaged[place] ?? 0) ^ 0x40;
      const opened = await open(chat, [damaged]);
      const end = opened.ok ? await heardOf(chat, opened).catch((error: unknown) => error) : opened;
      const failure = (end as Partial<Failed>).failure;
      expect([place, failure?.reachedProvider]).toEqual([place, true]);
      outcomes.add(failure?.kind ?? 'none');
    }
    expect(outcomes).toEqual(new Set(['bad_response', 'connection']));
  });

  it('breaks off where its bytes do', async () => {
    const bytes = Buffer.concat(frames);
    // All but the metadata: what was used is not known, but the answer is whole.
    const complete = bytes.length - (frames.at(-1)?.length ?? 0);
    for (let length = 0; length < bytes.length; length += 7) {
      if (length === complete) continue;
      const opened = await open(chat, [bytes.subarray(0, length)]);
      const end = opened.ok ? await heardOf(chat, opened).catch((error: unknown) => error) : opened;
      expect((end as Partial<Failed>).failure?.kind).toBe('connection');
    }
    const { known } = await heardOf(chat, await open(chat, [bytes.subarray(0, complete)]));
    expect(known).toMatchObject({ usage: null, finishReason: 'stop' });
  });

  it.each([
    ['throttlingException', 'rate_limited', 429],
    ['modelStreamErrorException', 'server_error', 424],
    ['internalServerException', 'server_error', 500],
    ['serviceUnavailableException', 'overloaded', 503],
    ['modelTimeoutException', 'timeout', 408],
    ['validationException', 'invalid_request', 400],
  ])('takes %s for %s, before the first word and after it', async (name, kind, status) => {
    const exception = awsFrame('exception', name, { message: 'As it happens.', originalStatusCode: 500 });
    const early = await open(chat, [...frames.slice(0, 1), exception]);
    expect(early).toMatchObject({
      ok: false,
      failure: { kind, status, message: 'As it happens.', reachedProvider: true },
    });
    const late = heardOf(chat, await open(chat, [...frames.slice(0, 2), exception]));
    await expect(late).rejects.toMatchObject({ failure: { kind, status } });
  });
});
