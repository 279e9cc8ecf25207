import { describe, expect, it } from 'vitest';
import { MessageEvents, messageOfChat } from '../../src/core/messages-answer.ts';
import { SseReader } from '../../src/core/sse.ts';

describe('the chunks of a chat completion as the events of a message', () => {
  it('end as the whole answer does, also where the model refused', () => {
    const head = { id: 'chatcmpl-1', model: 'm' };
    const message = { role: 'assistant', content: null, refusal: 'I will not.' };
    const whole = messageOfChat({ ...head, choices: [{ index: 0, message, finish_reason: 'stop' }] });
    const events = new MessageEvents();
    const chunk = (delta: object, finish: string | null): string[] => [
      ...events.push(JSON.stringify({ ...head, choices: [{ index: 0, delta, finish_reason: finish }] })),
    ];
    const text = [
      ...chunk({ role: 'assistant', content: null, refusal: null }, null),
      ...chunk({ refusal: 'I will ' }, null),
      ...chunk({ refusal: 'not.' }, null),
      ...chunk({}, 'stop'),
      ...events.end(),
    ].join('');
    const said = new SseReader(10_000).push(text).map(({ data }) => JSON.parse(data) as Record<string, unknown>);
    expect(said.map(({ type }) => type)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(whole.stop_reason).toBe('refusal');
    expect(said.at(-2)).toMatchObject({ delta: { stop_reason: 'refusal' } });
  });
});
