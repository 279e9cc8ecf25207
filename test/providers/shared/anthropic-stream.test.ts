import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageEvents } from '../../../providers/sandbox/servers/anthropic-events.ts';
import { sseFrame } from '../../../providers/sandbox/servers/native-streams.ts';
import { fromMessage } from '../../../providers/shared/anthropic-messages-answer.ts';
import { MessageStream } from '../../../providers/shared/anthropic-messages-stream.ts';
import { structuredToolName } from '../../../providers/shared/anthropic-messages-tools.ts';
import { toAnswerStream } from '../../../providers/shared/native-stream.ts';
import type { Endpoint } from '../../../src/protocol/endpoint.ts';
import { cuts, endpoints, heardOf, inPieces, texts, wholeOf } from './native-streams.ts';

const context = { provider: 'p', secrets: [], nowMs: 1_790_000_000_500, requestId: 'req_1' };
const read = (message: unknown) => fromMessage(message, context);

const text = texts.map((said) => ({ type: 'text', text: said }));
const input = fc.dictionary(fc.constantFrom('a', 'b', 'ü'), fc.jsonValue({ maxDepth: 1 }));
const call = fc.record({ name: fc.constantFrom('f', 'g'), input, id: fc.uuid() }).map((one) => ({
  type: 'tool_use',
  ...one,
}));
const thought = texts.map((thinking) => ({ type: 'thinking', thinking, signature: 's' }));
/** In the order in which a response tells them, as models say them. */
const contents = fc
  .tuple(
    fc.array(thought, { maxLength: 1 }),
    fc.array(fc.oneof(text, fc.constant({ type: 'redacted_thinking', data: 'x' })), { maxLength: 3 }),
    fc.array(call, { maxLength: 2 }),
  )
  .map(([thoughts, said, calls]) => [...thoughts, ...said, ...calls]);
const usages = fc.constantFrom(
  undefined,
  { input_tokens: 10, output_tokens: 5, service_tier: 'standard', speed: null },
  {
    input_tokens: 10,
    output_tokens: 50,
    cache_read_input_tokens: 100,
    cache_creation_input_tokens: 30,
    cache_creation: { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 10 },
    output_tokens_details: { thinking_tokens: 7 },
    service_tier: 'priority',
  },
);
const messages = fc
  .record({
    content: contents,
    stop_reason: fc.constantFrom('end_turn', 'tool_use', 'max_tokens', 'odd'),
    usage: usages,
  })
  .map(({ usage, ...rest }) => ({ ...head, ...rest, ...(usage && { usage }) }));
const head = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-x', stop_sequence: null };

function bytesOf(events: readonly Record<string, unknown>[]): Uint8Array {
  return Buffer.concat(events.map((event) => sseFrame(String(event.type), event)));
}

function open(endpoint: Endpoint, bytes: Uint8Array, at: readonly number[] = [], body = '{}') {
  const mapper = new MessageStream({ context, body, read });
  const stream = { endpoint, context, requestId: 'req_1', mapper, whole: (_response: unknown) => read(null) };
  return toAnswerStream(inPieces(bytes, at, 'text/event-stream'), stream);
}

describe('the events of a message as a stream of OpenAI’s', () => {
  it('say the same as the message that comes whole, wherever the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(messages, cuts, fc.constantFrom(...endpoints), async (message, at, endpoint) => {
        const { body, known } = await heardOf(endpoint, await open(endpoint, bytesOf(messageEvents(message)), at));
        expect({ body, known }).toEqual(wholeOf(endpoint, read(message)));
      }),
      { numRuns: 300 },
    );
  });

  it('say a structured answer as it comes, without the text beside it, and a refusal with its explanation', async () => {
    const structured = { type: 'tool_use', id: 't', name: structuredToolName, input: { answer: 'four '.repeat(20) } };
    const aside = { type: 'text', text: 'Here it is:' };
    const endings = [
      { content: [aside, structured], stop_reason: 'tool_use' },
      { content: [aside], stop_reason: 'end_turn' },
      { content: [], stop_reason: 'refusal', stop_details: { type: 'refusal', explanation: 'No.' } },
    ];
    for (const ending of endings) {
      const message = { ...head, ...ending, usage: { input_tokens: 1, output_tokens: 2 } };
      const asked = JSON.stringify({ tools: [{ name: structuredToolName }] });
      for (const endpoint of endpoints) {
        const heard = await heardOf(endpoint, await open(endpoint, bytesOf(messageEvents(message)), [], asked));
        expect(heard.body).toEqual(wholeOf(endpoint, read(message)).body);
        if (ending.content.length === 2) {
          expect(heard.pieces.filter(({ content }) => content).length).toBeGreaterThan(3);
        }
      }
    }
  });

  it('fail before anything was said, and break off after it, by what the service states', async () => {
    const message = { ...head, content: [{ type: 'text', text: 'It is four, as was said.' }], stop_reason: 'end_turn' };
    const events = messageEvents({ ...message, usage: { input_tokens: 12, output_tokens: 9 } });
    const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
    // Nothing was said to the client by `message_start` and `ping`.
    const early = await open('/v1/chat/completions', bytesOf([...events.slice(0, 3), overloaded]));
    expect(early).toMatchObject({ ok: false, failure: { kind: 'overloaded', status: 529, reachedProvider: true } });
    const cutEarly = await open('/v1/chat/completions', bytesOf(events.slice(0, 2)));
    expect(cutEarly).toMatchObject({ ok: false, failure: { kind: 'connection', reachedProvider: true } });
    const odd = await open('/v1/chat/completions', Buffer.from('data: {"type":"message_start"\n\n'));
    expect(odd).toMatchObject({ ok: false, failure: { kind: 'bad_response' } });
    const late = await open('/v1/chat/completions', bytesOf([...events.slice(0, 4), overloaded]));
    if (!late.ok) throw new Error(late.failure.message);
    const pieces: unknown[] = [];
    const reading = (async () => {
      for await (const piece of late.pieces) pieces.push(piece);
    })();
    await expect(reading).rejects.toMatchObject({ failure: { kind: 'overloaded' } });
    expect(pieces).toMatchObject([{ content: true, inputUsage: { input_tokens: 12 } }]);
    const half = await open('/v1/chat/completions', bytesOf(events.slice(0, -2)));
    await expect(heardOf('/v1/chat/completions', half)).rejects.toMatchObject({ failure: { kind: 'connection' } });
    // The stop reason says that it was the end.
    await heardOf('/v1/chat/completions', await open('/v1/chat/completions', bytesOf(events.slice(0, -1))));
  });
});
