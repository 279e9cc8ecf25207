import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseReader, sseText } from '../../src/core/sse.ts';

function read(parts: readonly string[]) {
  const reader = new SseReader(1_000_000);
  const events = parts.flatMap((part) => reader.push(part));
  const last = reader.end();
  return last === null ? events : [...events, last];
}

describe('SseReader', () => {
  it('reads names, data over several lines, comments and every line end', () => {
    const text = ': hello\n\nevent: a\ndata: 1\n\ndata:2\r\n\r\ndata: 3\rdata: 4\r\rid: 9\n\ndata: 5';
    expect(read([text])).toEqual([
      { event: 'a', data: '1' },
      { event: null, data: '2' },
      { event: null, data: '3\n4' },
      { event: null, data: '5' },
    ]);
  });

  it('reads the same events however the text is cut', () => {
    const event = fc.record({
      event: fc.option(fc.constantFrom('response.created', 'error')),
      data: fc.json().filter((json) => !/[\r\n]/.test(json)),
    });
    fc.assert(
      fc.property(fc.array(event), fc.array(fc.nat(200)), (events, cuts) => {
        const text = events.map(sseText).join('');
        const at = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((left, right) => left - right);
        const parts = [...at, text.length].map((end, index) => text.slice(index === 0 ? 0 : at[index - 1], end));
        expect(read(parts)).toEqual(events);
      }),
    );
  });

  it('refuses an event without end', () => {
    expect(() => new SseReader(100).push(`data: ${'x'.repeat(200)}`)).toThrow(RangeError);
  });
});
