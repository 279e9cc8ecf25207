import { describe, expect, it } from 'vitest';
import type { Failure, FailureKind } from '../../src/core/failure.ts';
import type { Candidate, EnterOn } from '../../src/core/lane.ts';
import {
  backoffMs,
  detour,
  isPressure,
  type LineProgress,
  moveDelayMs,
  nextStep,
  PRESSURE_TRIES_MAX,
  pastTo,
} from '../../src/core/retry.ts';

const STATUS: Partial<Record<FailureKind, number>> = {
  invalid_request: 400,
  authentication: 401,
  not_found: 404,
  rate_limited: 429,
  overloaded: 503,
  server_error: 500,
};

function failure(kind: FailureKind, change: Partial<Failure> = {}): Failure {
  return {
    kind,
    status: STATUS[kind] ?? null,
    code: kind,
    message: kind,
    param: null,
    type: 'error',
    retryAfterMs: null,
    reachedProvider: true,
    ...change,
  };
}

function candidate(provider: string, enterOn: EnterOn = 'any', attempts = 2): Candidate {
  return {
    provider,
    model: 'm',
    mode: 'auto',
    weight: 1,
    retry: { attempts, onStatusCodes: [429, 500, 503], useRetryAfter: true },
    requestTimeoutMs: null,
    params: { defaults: {}, overrides: {}, drops: [] },
    enterOn,
  };
}

const START = { candidate: 0, tries: 0, pressure: 0 };

/** Fails a line with the same failure until it gives up; the candidates it was tried on. */
function path(candidates: Candidate[], kind: FailureKind, change: Partial<Failure> = {}): number[] {
  const visited: number[] = [];
  let progress = START;
  for (let round = 0; round < 200; round++) {
    visited.push(progress.candidate);
    const step = nextStep(candidates, progress, failure(kind, change), 0.5);
    if (step.do === 'fail') return visited;
    progress = step.progress;
  }
  throw new Error('a line must not be tried for ever');
}

describe('nextStep', () => {
  it('tries trouble again on the same target, then on each next one, then gives up', () => {
    expect(path([candidate('a'), candidate('b', 'trouble')], 'server_error')).toEqual([0, 0, 0, 1, 1, 1]);
  });

  it('never repeats what the target calls the client’s mistake, nor moves it to a spare target', () => {
    expect(path([candidate('a'), candidate('b', 'trouble')], 'invalid_request')).toEqual([0]);
  });

  it('moves the client’s mistake on where a fallback admits any failure or its status', () => {
    expect(path([candidate('a'), candidate('b', 'any')], 'invalid_request')).toEqual([0, 1]);
    expect(path([candidate('a'), candidate('b', [400]), candidate('c', [429])], 'invalid_request')).toEqual([0, 1]);
    expect(path([candidate('a'), candidate('b', [429])], 'invalid_request')).toEqual([0]);
  });

  it('leaves a target with bad credentials at once', () => {
    expect(path([candidate('a'), candidate('b', 'trouble')], 'authentication')).toEqual([0, 1]);
  });

  it('goes round under pressure, bounded, because pressure passes', () => {
    const visited = path([candidate('a'), candidate('b', 'trouble')], 'rate_limited');
    expect(visited).toHaveLength(PRESSURE_TRIES_MAX);
    expect(visited.slice(0, 7)).toEqual([0, 0, 0, 1, 1, 1, 0]);
  });

  it('never gives a line up because nobody is there, and is back soon after the server is', () => {
    const refused = failure('connection', { reachedProvider: false });
    let progress: LineProgress = START;
    for (let count = 0; count < 500; count++) {
      const step = nextStep([candidate('a')], progress, refused, 1);
      if (step.do === 'fail') throw new Error(`given up after ${count} tries`);
      expect(step.delayMs).toBeLessThanOrEqual(5_000);
      progress = step.progress;
    }
  });

  it('does not retry at all when the operator allows no retries', () => {
    expect(path([candidate('a', 'any', 0)], 'rate_limited')).toEqual([0]);
    expect(path([candidate('a', 'any', 0)], 'server_error')).toEqual([0]);
  });

  it('does not retry a status that the operator left out', () => {
    expect(path([candidate('a')], 'server_error', { status: 502 })).toEqual([0]);
  });

  it('counts an unreadable 200 as the server’s error for a fallback by status', () => {
    expect(path([candidate('a', 'any', 0), candidate('b', [500], 0)], 'bad_response', { status: 200 })).toEqual([0, 1]);
  });

  it('waits at least what the provider asked for, unless told to ignore it', () => {
    const step = nextStep([candidate('a')], START, failure('rate_limited', { retryAfterMs: 3_000 }), 0);
    expect(step).toMatchObject({ do: 'retry', delayMs: 3_000 });
    const ignoring = { ...candidate('a'), retry: { ...candidate('a').retry, useRetryAfter: false } };
    expect(nextStep([ignoring], START, failure('rate_limited', { retryAfterMs: 3_000 }), 0)).toMatchObject({
      delayMs: 0,
    });
  });

  it('goes to another member of a pool without the wait that one asked for, also after what may be that one’s fault', () => {
    const asking = failure('rate_limited', { retryAfterMs: 60_000 });
    expect(nextStep([candidate('a')], START, asking, 0, ['one'])).toEqual({
      do: 'retry',
      delayMs: 0,
      progress: { candidate: 0, tries: 1, pressure: 1, avoided: ['one'] },
    });
    const both = [candidate('a'), candidate('b')];
    for (const kind of ['not_found', 'authentication'] as const) {
      expect(nextStep(both, START, failure(kind), 0, ['one'])).toMatchObject({ progress: { candidate: 0, tries: 1 } });
      const tried = { candidate: 0, tries: 2, pressure: 0, avoided: ['one'] };
      expect(nextStep(both, tried, failure(kind), 0, ['one', 'two'])).toMatchObject({ progress: { candidate: 1 } });
      expect(nextStep([candidate('a', 'any', 0)], START, failure(kind), 0, ['one'])).toEqual({ do: 'fail' });
    }
  });

  it('asks one more member of a pool about what the first refuses as the client’s mistake', () => {
    const alone = [candidate('a')];
    const second = nextStep(alone, START, failure('invalid_request'), 0.5, ['one']);
    const progress = { candidate: 0, tries: 1, pressure: 0, avoided: ['one'], refused: true } as const;
    expect(second).toEqual({ do: 'retry', delayMs: 0, progress });
    expect(nextStep(alone, progress, failure('invalid_request'), 0.5, ['one', 'two'])).toEqual({ do: 'fail' });
    // Trouble on the way there does not end it.
    const trouble = nextStep(alone, progress, failure('server_error'), 0.5, ['one', 'two']);
    expect(trouble).toMatchObject({ do: 'retry', progress: { tries: 2, refused: true } });
    const unsent = failure('unsupported', { reachedProvider: false });
    expect(nextStep(alone, START, unsent, 0.5, ['one'])).toEqual({ do: 'fail' });
    expect(nextStep([candidate('a', 'any', 0)], START, failure('invalid_request'), 0, ['one'])).toEqual({ do: 'fail' });
  });

  it('waits for a pool that knows its model no more to come back with it, once no other candidate is left', () => {
    const gone = failure('not_found', { passing: true });
    const both = [candidate('a'), candidate('b')];
    expect(nextStep(both, START, gone, 0)).toMatchObject({ delayMs: 0, progress: { candidate: 1 } });
    let step = nextStep(both.slice(0, 1), START, gone, 0);
    for (let tried = 1; tried < PRESSURE_TRIES_MAX; tried++) {
      expect(step).toEqual({ do: 'retry', delayMs: 2_000, progress: { candidate: 0, tries: 0, pressure: tried } });
      step = nextStep(both.slice(0, 1), step.do === 'retry' ? step.progress : START, gone, 0);
    }
    expect(step).toEqual({ do: 'fail' });
    expect(nextStep([candidate('a', 'any', 0)], START, gone, 0)).toEqual({ do: 'fail' });
    expect(nextStep(both.slice(0, 1), START, failure('not_found'), 0)).toEqual({ do: 'fail' });
    // An outage costs a line none of its tries, unless it has somewhere else to go.
    const out = failure('server_error', { passing: true });
    const spent = { ...START, tries: 2 };
    expect(nextStep(both.slice(0, 1), spent, out, 0)).toMatchObject({
      progress: { candidate: 0, tries: 2, pressure: 1 },
    });
    expect(nextStep(both, spent, out, 0)).toMatchObject({ progress: { candidate: 1 } });
    expect(nextStep(both, START, out, 0)).toMatchObject({ progress: { candidate: 0, tries: 1 } });
  });

  it('remembers the candidates that it left as they take no lines, and none that failed it', () => {
    const three = [candidate('a'), candidate('b'), candidate('c')];
    const refused = failure('authentication', { passing: true });
    const second = nextStep(three, START, refused, 0.5);
    expect(second).toMatchObject({ progress: { candidate: 1, passed: [0] } });
    if (second.do === 'fail') throw new Error('it goes on');
    const third = nextStep(three, second.progress, failure('authentication'), 0.5);
    expect(third).toMatchObject({ progress: { candidate: 2, passed: [0] } });
    if (third.do === 'fail') throw new Error('it goes on');
    expect(pastTo(third.progress, 0)).toMatchObject({ candidate: 0, tries: 0, passed: [2] });
    const away = failure('connection', { reachedProvider: false });
    expect(nextStep(three, { ...START, tries: 9 }, away, 0.5)).toMatchObject({
      progress: { candidate: 1, passed: [0] },
    });
  });

  it('may come back to a target that it left under pressure, after the wait that it would have had there', () => {
    const both = [candidate('a', 'any', 1), candidate('b', 'any')];
    const left = nextStep(both, { candidate: 0, tries: 1, pressure: 4 }, failure('rate_limited'), 0.5);
    expect(left).toMatchObject({ delayMs: 0, progress: { candidate: 1, pressure: 5, passed: [0] } });
    if (left.do !== 'retry') return;
    expect(moveDelayMs(left.progress, 0, 0.5)).toBe(backoffMs(5, 0.5));
    expect(moveDelayMs(left.progress, 2, 0.5)).toBe(0);
    expect(moveDelayMs({ candidate: 1, tries: 0, pressure: 0 }, 0, 0.5)).toBe(0);
    // A line's own trouble is no reason to come back.
    const trouble = nextStep(both, { candidate: 0, tries: 1, pressure: 0 }, failure('server_error'), 0.5);
    expect(trouble.do === 'retry' && trouble.progress.passed).toBeUndefined();
  });

  it('stops with its batch', () => {
    expect(nextStep([candidate('a')], START, failure('interrupted'), 0)).toEqual({ do: 'fail' });
  });
});

describe('backoffMs', () => {
  it('is uniform below a bound that doubles up to a minute', () => {
    expect(backoffMs(0, 1)).toBe(250);
    expect(backoffMs(3, 1)).toBe(2_000);
    expect(backoffMs(60, 1)).toBe(60_000);
    expect(backoffMs(3, 0)).toBe(0);
  });
});

describe('isPressure', () => {
  it('holds for refusals by load and for servers that are not there, not for cut answers', () => {
    expect(isPressure(failure('rate_limited'))).toBe(true);
    expect(isPressure(failure('connection', { reachedProvider: false }))).toBe(true);
    expect(isPressure(failure('connection'))).toBe(false);
  });
});

describe('detour', () => {
  it('leads to a next candidate that takes trouble, not to one that waits for a status', () => {
    expect(detour([candidate('a'), candidate('b', 'trouble')], 0)).toBe(1);
    expect(detour([candidate('a'), candidate('b', [429])], 0)).toBeNull();
    expect(detour([candidate('a')], 0)).toBeNull();
  });
});
