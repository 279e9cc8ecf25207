import { describe, expect, it } from 'vitest';
import { completeLimits, KeyBudget } from '../../src/core/key-budget.ts';

const budget = (limits: Parameters<typeof completeLimits>[0], now = 0) => new KeyBudget(completeLimits(limits), now);

describe('KeyBudget', () => {
  it('lets a minute’s requests through at once, and then one at a time as they come back', () => {
    const key = budget({ requests_per_minute: 60 });
    for (let count = 0; count < 60; count++) {
      expect(key.callWaitMs(1, 0)).toBe(0);
      key.spendCall(1, 0);
    }
    expect(key.callWaitMs(1, 0)).toBe(1_000);
    expect(key.callWaitMs(1, 1_000)).toBe(0);
  });

  it('leaves a part of it to synchronous calls: lines of batches wait earlier', () => {
    const key = budget({ requests_per_minute: 100 });
    let lines = 0;
    for (; key.lineWaitMs(1, 0) === 0; lines++) key.spendLine(1, 0);
    expect(lines).toBe(90);
    expect(key.callWaitMs(1, 0)).toBe(0);
  });

  it('lets a request that is larger than its minute through when nothing is spent, and never for longer than a minute', () => {
    const key = budget({ tokens_per_minute: 1_000 });
    expect(key.callWaitMs(1_000_000, 0)).toBe(0);
    key.spendCall(1_000_000, 0);
    expect(key.callWaitMs(1_000, 60_000)).toBe(0);
    expect(key.lineWaitMs(1_000_000, 60_000)).toBe(0);
  });

  it('gives back what was estimated too high, and takes what was too low', () => {
    const key = budget({ tokens_per_minute: 1_000 });
    key.spendCall(900, 0);
    key.correct(900, 100, 0);
    expect(key.callWaitMs(900, 0)).toBe(0);
    key.correct(0, 500, 0);
    expect(key.callWaitMs(900, 0)).toBe(30_000);
    key.correct(1, null, 0);
    expect(key.callWaitMs(900, 0)).toBe(30_000);
  });

  it('says in OpenAI’s headers what is left and when all of it is back', () => {
    const key = budget({ requests_per_minute: 60, tokens_per_minute: 6_000 });
    for (let count = 0; count < 3; count++) key.spendCall(2_000, 0);
    expect(key.headers(0)).toEqual({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '57',
      'x-ratelimit-reset-requests': '3s',
      'x-ratelimit-limit-tokens': '6000',
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': '1m0s',
    });
    expect(budget({}).headers(0)).toEqual({});
  });

  it('is a part of the limit where others have the rest, at once and for lines as for calls', () => {
    const part = budget({ requests_per_minute: 100, tokens_per_minute: 1_000 });
    part.takeShare(0.25, 0);
    for (let sent = 0; sent < 23; sent++) part.spendCall(0, 0);
    expect(part.lineWaitMs(1, 0)).toBeGreaterThan(0);
    expect(part.callWaitMs(1, 0)).toBe(0);
    part.spendCall(10_000, 0);
    expect(part.callWaitMs(250, 0)).toBe(60_000);
    part.spendCall(0, 0);
    // A quarter of a hundred a minute: one every 2.4 seconds.
    expect(part.callWaitMs(0, 0)).toBe(2_400);
    expect(part.headers(0)).toMatchObject({
      'x-ratelimit-limit-requests': '100',
      'x-ratelimit-remaining-requests': '0',
    });
    part.takeShare(1, 0);
    expect(part.callWaitMs(0, 0)).toBe(600);
    const small = budget({ requests_per_minute: 2 });
    small.takeShare(0.1, 0);
    expect(small.callWaitMs(1, 0)).toBe(0);
  });

  it('takes a changed limit in at once and leaves the others as spent as they were', () => {
    const key = budget({ requests_per_minute: 1, batches_per_minute: 1 });
    key.spendCall(1, 0);
    key.spendBatch(0);
    key.change(completeLimits({ requests_per_minute: 10, batches_per_minute: 1 }), 0);
    expect(key.callWaitMs(1, 0)).toBe(0);
    expect(key.batchWaitMs(0)).toBe(60_000);
    key.change(completeLimits(null), 0);
    expect(key.batchWaitMs(0)).toBe(0);
  });

  it('lets lines of any size go once their part is paid for, so that none waits for as long as smaller ones come', () => {
    const key = budget({ tokens_per_minute: 6_000 });
    key.spendLine(6_000, 0);
    expect(key.lineWaitMs(1, 0)).toBe(6_010);
    // Calls have theirs meanwhile, at a tenth of the rate.
    expect(key.callWaitMs(600, 0)).toBe(0);
    key.spendCall(600, 0);
    expect(key.callWaitMs(600, 0)).toBe(12_000);
    expect(key.callWaitMs(10, 0)).toBe(1_000);
    key.correctCall(600, 100, 0);
    expect(key.callWaitMs(500, 0)).toBe(0);
    // What calls used comes back from lines.
    expect(key.lineWaitMs(1, 0)).toBe(7_010);
  });

  it('leaves a large call what it was told to wait for, and lines as much after it', () => {
    const key = budget({ tokens_per_minute: 6_000 });
    const runLines = (from: number, until: number): void => {
      for (let at = from; at < until; at += 100) if (key.lineWaitMs(100, at) === 0) key.spendLine(100, at);
    };
    for (; key.lineWaitMs(1, 0) === 0; ) key.spendLine(100, 0);
    const wait = key.callWaitMs(3_000, 0);
    key.promise(3_000, wait, 0);
    runLines(0, wait + 2_000);
    expect(key.callWaitMs(3_000, wait + 2_000)).toBe(0);
    key.spendCall(3_000, wait + 2_000);
    const after = wait + 2_000;
    key.promise(3_000, key.callWaitMs(3_000, after), after);
    // The second one waits until lines had their turn.
    runLines(after, after + 40_000);
    expect(key.callWaitMs(3_000, after + 40_000)).toBeGreaterThan(20_000);
    key.promise(3_000, 30_000, after + 40_000);
    runLines(after + 40_000, after + 72_000);
    expect(key.callWaitMs(3_000, after + 72_000)).toBe(0);
    // One that does not come back holds nothing up.
    runLines(after + 72_000, after + 78_000);
    expect(key.callWaitMs(3_000, after + 78_000)).toBeGreaterThan(0);
  });

  it('fills at its part of the rate, however often its limits are looked at', () => {
    const limits = completeLimits({ requests_per_minute: 60, tokens_per_minute: 6_000 });
    const key = new KeyBudget(limits, 0);
    key.takeShare(0.5, 0);
    for (let sent = 0; sent < 30; sent++) key.spendCall(100, 0);
    for (let at = 0; at <= 10_000; at += 5_000) key.change(completeLimits({ ...limits }), at);
    expect(key.headers(10_000)).toMatchObject({
      'x-ratelimit-remaining-requests': '5',
      'x-ratelimit-remaining-tokens': '500',
    });
  });
});
