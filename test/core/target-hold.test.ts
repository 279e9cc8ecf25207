import { describe, expect, it } from 'vitest';
import type { Failure, FailureKind } from '../../src/core/failure.ts';
import { accountSign, TargetHold } from '../../src/core/target-hold.ts';

const MAX_MS = 60_000;

function refusal(kind: FailureKind, change: Partial<Failure> = {}): Failure {
  return {
    kind,
    status: 401,
    code: kind,
    message: kind,
    param: null,
    type: 'error',
    retryAfterMs: null,
    reachedProvider: true,
    ...change,
  };
}

describe('accountSign', () => {
  it('tells the account’s failures from a line’s', () => {
    expect(accountSign(refusal('authentication'))).toBe('sure');
    expect(accountSign(refusal('quota_exhausted'))).toBe('sure');
    expect(accountSign(refusal('permission'))).toBe('likely');
    expect(accountSign(refusal('permission', { ofRequest: true }))).toBe('none');
    for (const kind of ['invalid_request', 'not_found', 'rate_limited', 'server_error'] as const)
      expect(accountSign(refusal(kind))).toBe('none');
  });
});

describe('a target’s hold', () => {
  /** A refusal of a line that was sent a moment before. */
  const refuse = (hold: TargetHold, failure: Failure, nowMs = 0, unit = 0.5) =>
    hold.refused(failure, { sentAt: nowMs - 10, nowMs, unit });
  const denied = refusal('permission', { status: 403 });

  it('holds after refusals in a row, lets one line look now and then, and ends with an answer', () => {
    const hold = new TargetHold(MAX_MS);
    const refused = refusal('authentication');
    for (let count = 1; count < 5; count++) expect(refuse(hold, refused)).toBe('account');
    expect([hold.state(0), hold.waitMs(0, [])]).toEqual(['open', 0]);
    refuse(hold, refused);
    expect(hold.state(0)).toBe('held');
    const over = hold.waitMs(0, []);
    expect(over).toBeGreaterThan(0);
    // What was out when it began says nothing new.
    for (let count = 0; count < 50; count++) refuse(hold, refused);
    expect(hold.waitMs(0, [])).toBe(over);
    expect([hold.waitMs(over, []), hold.waitMs(over, [over])]).toEqual([0, 1_000]);
    expect(hold.answered(over)).toBe(true);
    expect([hold.state(over), hold.waitMs(over, [over])]).toEqual(['open', 0]);
  });

  it('takes a line for let in that is not refused for much longer than others were', () => {
    const hold = new TargetHold(MAX_MS);
    for (let count = 0; count < 5; count++) hold.refused(denied, { sentAt: -2_000, nowMs: 0, unit: 0.5 });
    const sentAt = hold.waitMs(0, []);
    expect(hold.waitMs(sentAt, [sentAt])).toBe(8_000);
    expect(hold.waitMs(sentAt + 8_000, [sentAt])).toBe(0);
    // One that hangs since before the last refusal tells nothing, and holds up nobody.
    const at = sentAt + 8_000;
    refuse(hold, denied, at);
    const next = at + hold.waitMs(at, [sentAt]);
    expect(next).toBeGreaterThan(at);
    expect(hold.waitMs(next, [sentAt])).toBe(0);
    expect(hold.waitMs(next, [sentAt, next])).toBeGreaterThan(0);
  });

  it('does not take for mended what answers requests that were sent before the first that was refused', () => {
    const hold = new TargetHold(MAX_MS);
    refuse(hold, denied, 100);
    // Not held yet: such answers come in between.
    expect(hold.answered(50)).toBe(true);
    for (let count = 0; count < 5; count++) refuse(hold, denied, 200 + count);
    expect(hold.answered(189)).toBe(false);
    expect(hold.state(300)).toBe('held');
    expect(hold.answered(190)).toBe(true);
    expect(hold.state(300)).toBe('open');
  });

  it('tells later whose a refused permission was', () => {
    const hold = new TargetHold(MAX_MS);
    expect(refuse(hold, denied, 100)).toBe('open');
    expect(hold.verdict(100, 100)).toBe('open');
    hold.answered(99);
    expect(hold.verdict(100, 200)).toBe('open');
    hold.answered(100);
    expect(hold.verdict(100, 200)).toBe('own');
    for (let count = 0; count < 4; count++) expect(refuse(hold, denied, 300)).toBe('open');
    expect(hold.verdict(300, 300)).toBe('open');
    expect(refuse(hold, denied, 301)).toBe('account');
    expect(hold.verdict(300, 301)).toBe('account');
    expect(hold.verdict(300, 300 + 2 * MAX_MS)).toBe('open');
  });

  it('lets time tell whose a refusal was, for a minute, unless others were let in after one', () => {
    const hold = new TargetHold(30 * MAX_MS, MAX_MS / 2);
    refuse(hold, denied, 100);
    expect([hold.timeTells(MAX_MS / 2 - 1), hold.timeTells(MAX_MS / 2)]).toEqual([true, false]);
    // It was sent before that one was refused.
    hold.answered(99);
    expect([hold.timeTells(MAX_MS - 1), hold.timeTells(MAX_MS)]).toEqual([true, false]);
    refuse(hold, denied, 200);
    hold.answered(201);
    expect(hold.timeTells(0)).toBe(false);
  });

  it('looks ever more rarely, every five seconds at least, and gives up in the end', () => {
    const hold = new TargetHold(MAX_MS);
    let now = 0;
    let looks = 0;
    for (let count = 0; count < 4; count++) refuse(hold, refusal('quota_exhausted'), now, 1);
    while (refuse(hold, refusal('quota_exhausted', { retryAfterMs: 1e9 }), now, 1) === 'account') {
      const waitMs = hold.waitMs(now, []);
      expect(waitMs).toBeLessThanOrEqual(5_000);
      now += waitMs;
      looks += 1;
    }
    expect([now, looks, hold.state(now), hold.waitMs(now, [now])]).toEqual([MAX_MS, 12, 'given_up', 0]);
    expect(refuse(hold, refusal('quota_exhausted'), now + 1)).toBe('own');
    // Whoever comes much later finds out anew.
    expect(refuse(hold, refusal('quota_exhausted'), now + 2 * MAX_MS)).toBe('account');
  });

  it('asks for more refused permissions in a row each time that they were their lines’ own', () => {
    const hold = new TargetHold(MAX_MS);
    const heldAfter = (): number => {
      for (let count = 1; ; count++) if (refuse(hold, denied) === 'account') return count;
    };
    expect(hold.wasWrong).toBe(false);
    expect(heldAfter()).toBe(5);
    hold.answered(0);
    expect(hold.wasWrong).toBe(true);
    expect(heldAfter()).toBe(10);
    hold.answered(0);
    for (let count = 0; count < 4; count++) {
      expect(refuse(hold, denied)).toBe('open');
      hold.answered(0);
    }
    expect(heldAfter()).toBe(20);
  });

  it('holds nothing where no time is given to it', () => {
    const hold = new TargetHold(0);
    for (let count = 0; count < 9; count++) expect(refuse(hold, refusal('authentication'))).toBe('own');
    expect([hold.state(0), hold.waitMs(0, [0])]).toEqual(['given_up', 0]);
  });

  it('gives up sooner before its first answer than after it', () => {
    const hold = new TargetHold(MAX_MS, MAX_MS / 10);
    const heldFor = (from: number): number => {
      let now = from;
      for (let count = 0; count < 4; count++) refuse(hold, refusal('authentication'), now, 1);
      while (refuse(hold, refusal('authentication'), now, 1) === 'account') now += hold.waitMs(now, []);
      return now - from;
    };
    expect(heldFor(0)).toBeLessThan(MAX_MS / 10 + 5_000);
    hold.answered(MAX_MS);
    expect(heldFor(MAX_MS)).toBeGreaterThanOrEqual(MAX_MS);
  });
});
