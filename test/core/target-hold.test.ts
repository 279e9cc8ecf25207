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
  it('holds after refusals in a row, lets one line look now and then, and ends with an answer', () => {
    const hold = new TargetHold(MAX_MS);
    for (let count = 1; count < 5; count++) expect(hold.refused(refusal('authentication'), 0, 0.5)).toBe(true);
    expect([hold.state(0), hold.waitMs(0, 0)]).toEqual(['open', 0]);
    hold.refused(refusal('authentication'), 0, 0.5);
    expect(hold.state(0)).toBe('held');
    const over = hold.waitMs(0, 0);
    expect(over).toBeGreaterThan(0);
    // What was out when it began says nothing new.
    for (let count = 0; count < 50; count++) hold.refused(refusal('authentication'), 0, 0.5);
    expect(hold.waitMs(0, 0)).toBe(over);
    expect([hold.waitMs(over, 0), hold.waitMs(over, 1)]).toEqual([0, Number.POSITIVE_INFINITY]);
    hold.answered();
    expect([hold.state(over), hold.waitMs(over, 1)]).toEqual(['open', 0]);
  });

  it('looks ever more rarely, every five seconds at least, and gives up in the end', () => {
    const hold = new TargetHold(MAX_MS);
    let now = 0;
    let looks = 0;
    for (let count = 0; count < 4; count++) hold.refused(refusal('quota_exhausted'), now, 1);
    while (hold.refused(refusal('quota_exhausted', { retryAfterMs: 1e9 }), now, 1)) {
      const waitMs = hold.waitMs(now, 0);
      expect(waitMs).toBeLessThanOrEqual(5_000);
      now += waitMs;
      looks += 1;
    }
    expect([now, looks, hold.state(now), hold.waitMs(now, 9)]).toEqual([MAX_MS, 12, 'given_up', 0]);
    expect(hold.refused(refusal('quota_exhausted'), now + 1, 1)).toBe(false);
    // Whoever comes much later finds out anew.
    expect(hold.refused(refusal('quota_exhausted'), now + 2 * MAX_MS, 1)).toBe(true);
  });

  it('takes single refused permissions for their lines’ own, and asks for more of them each time it was wrong', () => {
    const hold = new TargetHold(MAX_MS);
    const denied = refusal('permission', { status: 403 });
    const keptAfter = (): number => {
      for (let count = 1; ; count++) if (hold.refused(denied, 0, 0.5)) return count;
    };
    expect(keptAfter()).toBe(5);
    hold.answered();
    expect(keptAfter()).toBe(10);
    hold.answered();
    for (let count = 0; count < 4; count++) {
      expect(hold.refused(denied, 0, 0.5)).toBe(false);
      hold.answered();
    }
    expect(keptAfter()).toBe(20);
  });

  it('holds nothing where no time is given to it', () => {
    const hold = new TargetHold(0);
    for (let count = 0; count < 9; count++) expect(hold.refused(refusal('authentication'), 0, 0.5)).toBe(false);
    expect([hold.state(0), hold.waitMs(0, 1)]).toEqual(['given_up', 0]);
  });

  it('gives up sooner before its first answer than after it', () => {
    const hold = new TargetHold(MAX_MS, MAX_MS / 10);
    const heldFor = (from: number): number => {
      let now = from;
      for (let count = 0; count < 4; count++) hold.refused(refusal('authentication'), now, 1);
      while (hold.refused(refusal('authentication'), now, 1)) now += hold.waitMs(now, 0);
      return now - from;
    };
    expect(heldFor(0)).toBeLessThan(MAX_MS / 10 + 5_000);
    hold.answered();
    expect(heldFor(MAX_MS)).toBeGreaterThanOrEqual(MAX_MS);
  });
});
