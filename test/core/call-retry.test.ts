import { describe, expect, it } from 'vitest';
import { CALL_WAIT_MAX_MS, nextCallStep } from '../../src/core/call-retry.ts';
import { type Failure, refusal } from '../../src/core/failure.ts';
import type { Candidate } from '../../src/core/lane.ts';

function candidate(provider: string, attempts: number): Candidate {
  return {
    provider,
    model: 'm',
    mode: 'auto',
    weight: 1,
    retry: { attempts, onStatusCodes: [429, 500], useRetryAfter: true },
    requestTimeoutMs: null,
    params: { defaults: {}, overrides: {}, drops: [] },
    enterOn: 'any',
  };
}

function failure(status: number, retryAfterMs: number | null = null): Failure {
  const kind = status === 429 ? 'rate_limited' : 'server_error';
  return { ...refusal(kind, 'x', 'x'), status, retryAfterMs, reachedProvider: true };
}

const both = [candidate('a', 1), candidate('b', 1)];
const start = { candidate: 0, tries: 0, pressure: 0 };

describe('nextCallStep', () => {
  it('retries, goes on, and ends: no second round, whatever the pressure', () => {
    const first = nextCallStep(both, start, failure(429), 0.5, 0);
    expect(first).toMatchObject({ do: 'retry', progress: { candidate: 0, tries: 1 } });
    const second = nextCallStep(both, { candidate: 0, tries: 1, pressure: 1 }, failure(429), 0.5, 0);
    expect(second).toMatchObject({ do: 'retry', progress: { candidate: 1, tries: 0 } });
    expect(nextCallStep(both, { candidate: 1, tries: 1, pressure: 3 }, failure(429), 0.5, 0)).toEqual({ do: 'fail' });
  });

  it('does not wait longer than somebody would, but goes elsewhere if there is an elsewhere', () => {
    const long = failure(429, CALL_WAIT_MAX_MS + 1);
    expect(nextCallStep(both, start, long, 0, 0)).toMatchObject({
      do: 'retry',
      delayMs: 0,
      progress: { candidate: 1 },
    });
    expect(nextCallStep(both, { ...start, candidate: 1 }, long, 0, 0)).toEqual({ do: 'fail' });
    const brief = failure(500, 1_000);
    expect(nextCallStep(both, { ...start, candidate: 1 }, brief, 0, CALL_WAIT_MAX_MS)).toEqual({ do: 'fail' });
  });

  it('does not wait at a target without room where there is another one', () => {
    const full = { ...refusal('rate_limited', 'x', 'x'), retryAfterMs: 20_000 };
    expect(nextCallStep(both, start, full, 0, 0)).toMatchObject({
      do: 'retry',
      delayMs: 0,
      progress: { candidate: 1 },
    });
    const last = nextCallStep(both, { ...start, candidate: 1 }, full, 0, 0);
    expect(last).toMatchObject({ do: 'retry', delayMs: 20_000, progress: { candidate: 1 } });
  });
});
