import { describe, expect, it } from 'vitest';
import { createInFlight } from '../../src/services/segments/in-flight.ts';

function timeAt(ms: number) {
  const clock = { ms, now: () => 1_000_000 + clock.ms, micros: () => clock.ms * 1000, sleep: async () => undefined };
  return clock;
}

describe('lines in flight', () => {
  it('add up to their time in flight, counted once, beside how many there are now', () => {
    const clock = timeAt(0);
    const inFlight = createInFlight(clock);
    expect(inFlight.takeBusy('b')).toBeNull();
    inFlight.begin('b', 'pool/llama');
    clock.ms = 100;
    inFlight.begin('b', 'pool/llama');
    inFlight.begin('other', 'pool/llama');
    clock.ms = 400;
    expect([...inFlight.of('b')]).toEqual([['pool/llama', 2]]);
    const first = { busyMs: 100 + 2 * 300, busyFrom: 1_000_000, busyUntil: 1_000_400 };
    expect(inFlight.busy('b')).toEqual([first]);
    expect(inFlight.batches()).toEqual(['b', 'other']);
    expect(inFlight.takeBusy('b')).toEqual(first);
    inFlight.end('b', 'pool/llama');
    clock.ms = 1_000;
    inFlight.end('b', 'pool/llama');
    // What ends before it is taken is not lost, and only then forgotten.
    expect(inFlight.takeBusy('b')).toEqual({ busyMs: 600, busyFrom: 1_000_400, busyUntil: 1_001_000 });
    expect([inFlight.busy('b'), inFlight.of('b').size]).toEqual([[], 0]);
    expect(inFlight.busy('other')[0]?.busyMs).toBe(900);
  });
});
