import { afterEach, describe, expect, it } from 'vitest';
import type { StreamPiece } from '../../../providers/contract.ts';
import { LiveAnswer } from '../../../src/services/calls/live-answer.ts';

const MIB = 1024 ** 2;

function pieceOf(length: number, finishReason: string | null = null): StreamPiece {
  const delta = { content: 'x'.repeat(length) };
  const data = JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: finishReason }] });
  const nothing = { event: null, usageOnly: false, usage: null, rawUsage: null, servedModel: null };
  return { ...nothing, data, content: true, finishReason };
}

describe('an answer that several listen to', () => {
  const entered: string[] = [];
  afterEach(() => {
    entered.length = 0;
  });

  /** An answer that begins with these pieces; `read` counts those that were asked for. */
  function begin(pieces: readonly StreamPiece[]) {
    const counts = { read: 1, closed: 0 };
    async function* rest(): AsyncGenerator<StreamPiece> {
      for (const piece of pieces.slice(1)) {
        counts.read += 1;
        yield piece;
      }
    }
    const account = {
      enter: () => Promise.resolve(entered.push('whole')),
      enterBrokenOff: (_attempt: unknown, { errorCode }: { errorCode: string }) =>
        Promise.resolve(entered.push(errorCode)),
    };
    const call = { bytes: 100, cache: 'use', request: { endpoint: '/v1/chat/completions' } };
    const candidate = { cache: { maxAgeSeconds: 60 } };
    const trip = { end: () => ({ latencyMs: 1, gpuMicroseconds: null }) };
    const begun = {
      answer: { ok: true, requestId: null, first: pieces[0], rest: rest() },
      candidate,
      trip,
      provider: {},
    };
    const live = new LiveAnswer();
    const source = { hand: { call, account, keyCacheSeconds: null }, begun, keep: () => {} };
    const start = (): void => live.begin({ ...source, closed: () => (counts.closed += 1) } as never, true);
    return { live, counts, start };
  }

  it('is read as fast as the fastest reads, and no further', async () => {
    const { live, counts, start } = begin(Array.from({ length: 5 }, () => pieceOf(10)));
    const [fast, slow] = [live.join(new AbortController().signal), live.join(new AbortController().signal)];
    start();
    for (let count = 0; count < 3; count += 1) await fast.next();
    expect(counts.read).toBe(3);
    await slow.next();
    expect(counts.read).toBe(3);
    expect(entered).toEqual([]);
  });

  it('holds what others may still hear up to a bound, and breaks off for one who falls behind it', async () => {
    const pieces = Array.from({ length: 10 }, (_, index) => pieceOf(MIB, index === 9 ? 'stop' : null));
    const { live, counts, start } = begin(pieces);
    const [fast, slow] = [live.join(new AbortController().signal), live.join(new AbortController().signal)];
    start();
    await slow.next();
    for (let count = 0; count < 3; count += 1) await fast.next();
    expect(live.isOpen).toBe(true);
    let last = await fast.next();
    for (let piece = last; piece !== null; piece = await fast.next()) last = piece;
    expect(last?.finishReason).toBe('stop');
    expect(live.isOpen).toBe(false);
    await expect(slow.next()).rejects.toMatchObject({ failure: { code: 'read_too_slowly' } });
    expect([entered, counts.closed]).toEqual([['whole'], 1]);
  });

  it('goes on while one is there, and is entered once as given up when the last one leaves', async () => {
    const { live, counts, start } = begin(Array.from({ length: 5 }, () => pieceOf(10)));
    const client = new AbortController();
    const [leaves, stays] = [live.join(client.signal), live.join(new AbortController().signal)];
    start();
    await leaves.next();
    client.abort();
    expect([live.signal.aborted, live.isOpen]).toEqual([false, true]);
    await stays.next();
    stays.leave();
    stays.leave();
    expect([live.signal.aborted, live.isOpen]).toEqual([true, false]);
    await expect(live.at(4)).rejects.toMatchObject({ failure: { kind: 'interrupted' } });
    expect([entered, counts.closed, counts.read]).toEqual([['client_disconnected'], 1, 1]);
  });

  it('is given up also when the last one leaves while a piece comes', async () => {
    const { live, counts, start } = begin([pieceOf(10), pieceOf(10)]);
    const reader = live.join(new AbortController().signal);
    start();
    await reader.next();
    const coming = reader.next();
    reader.leave();
    await coming;
    await expect.poll(() => counts.closed).toBe(1);
    expect(entered).toEqual(['client_disconnected']);
  });

  it('is not asked for when its only client has left already', () => {
    const { live } = begin([pieceOf(10)]);
    const client = new AbortController();
    client.abort();
    live.join(client.signal);
    expect(live.signal.aborted).toBe(true);
  });

  it('tells those who wait for it when it does not begin', async () => {
    const { live } = begin([pieceOf(10)]);
    live.withdraw();
    expect(await live.begins).toBe(false);
  });
});
