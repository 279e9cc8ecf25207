import { describe, expect, it } from 'vitest';
import type { Failure, FailureKind } from '../../src/core/failure.ts';
import { refusal } from '../../src/core/failure.ts';
import type { Candidate, EnterOn } from '../../src/core/lane.ts';
import {
  afterShardFailure,
  latestStart,
  modeOf,
  pollSeconds,
  requeueSeconds,
  rescueAt,
} from '../../src/core/shard-plan.ts';
import { canMoveShard, SHARD_STATES } from '../../src/core/shard-state.ts';

const both = { batch: true, immediate: true };
const day = { immediate: false, seconds: 86_400 };

describe('modeOf', () => {
  it('uses the batch service where there is one and the window allows', () => {
    expect(modeOf({ mode: 'auto' }, both, day)).toBe('batch');
    expect(modeOf({ mode: 'auto' }, both, { immediate: false, seconds: 600 })).toBe('immediate');
    expect(modeOf({ mode: 'auto' }, { batch: true, immediate: false }, { immediate: false, seconds: 600 })).toBe(
      'batch',
    );
    expect(modeOf({ mode: 'auto' }, { batch: false, immediate: true }, day)).toBe('immediate');
  });

  it('never uses a batch service in an immediate batch', () => {
    expect(modeOf({ mode: 'auto' }, both, { immediate: true, seconds: 86_400 })).toBe('immediate');
    expect(modeOf({ mode: 'batch' }, { batch: true, immediate: false }, { immediate: true, seconds: 60 })).toBeNull();
  });

  it('does what the target says, or nothing', () => {
    expect(modeOf({ mode: 'immediate' }, both, day)).toBe('immediate');
    expect(modeOf({ mode: 'batch' }, { batch: false, immediate: true }, day)).toBeNull();
  });
});

describe('when shards are looked at', () => {
  it('is rarer with age, and jittered, so that thousands do not come at once', () => {
    expect(pollSeconds(0, 10, 0.5)).toBe(10);
    expect(pollSeconds(2_000, 10, 0.5)).toBe(100);
    expect(pollSeconds(80_000, 10, 0.5)).toBe(300);
    expect(pollSeconds(80_000, 10, 0)).toBe(240);
    expect(pollSeconds(80_000, 10, 1)).toBe(360);
  });

  it('doubles after refusals up to a quarter of an hour', () => {
    expect([0, 1, 2, 20].map((tries) => requeueSeconds(tries, 10, 1))).toEqual([20, 40, 80, 900]);
    expect(requeueSeconds(0, 10, 0)).toBe(10);
  });
});

describe('rescueAt', () => {
  it('leaves a fifth of the window, at most two hours, or what the route says', () => {
    expect(rescueAt({ createdAt: 0, expiresAt: 86_400 }, null)).toBe(79_200);
    expect(rescueAt({ createdAt: 0, expiresAt: 3_600 }, null)).toBe(2_880);
    expect(rescueAt({ createdAt: 0, expiresAt: 86_400 }, 3_600)).toBe(3_600);
    expect(rescueAt({ createdAt: 0, expiresAt: 86_400 }, 86_000)).toBe(79_200);
  });
});

describe('latestStart', () => {
  it('leaves a provider an hour before its lines are called back, or a quarter of a short window', () => {
    const batch = { createdAt: 1_000, expiresAt: 1_000 + 86_400 };
    expect(latestStart(batch, null)).toBe(1_000 + 86_400 - 7_200 - 3_600);
    expect(latestStart(batch, 10_000)).toBe(1_000 + 10_000 - 3_600);
    expect(latestStart({ createdAt: 0, expiresAt: 3_600 }, null)).toBe(3_600 - 720 - 900);
  });
});

describe('afterShardFailure', () => {
  const failure = (kind: FailureKind, status: number | null = null): Failure => ({
    ...refusal(kind, kind, kind),
    status,
    reachedProvider: true,
  });
  const lane = (...rules: EnterOn[]): Candidate[] => rules.map((enterOn) => ({ enterOn }) as unknown as Candidate);

  it('tries trouble again through the same provider’s ordinary API', () => {
    expect(afterShardFailure(lane('any', 'trouble'), 0, failure('server_error', 500), true)).toBe(0);
    expect(afterShardFailure(lane('any', 'trouble'), 0, failure('expired'), true)).toBe(0);
  });

  it('sends what only the batch service refuses to the ordinary API, or to the next target', () => {
    const refused = refusal('unsupported', 'unsupported_in_batch', 'no');
    expect(afterShardFailure(lane('any', 'trouble'), 0, refused, true)).toBe(0);
    expect(afterShardFailure(lane('any', 'trouble'), 0, refused, false)).toBe(1);
  });

  it('moves on where there is no such API, and never repeats the client’s mistake', () => {
    expect(afterShardFailure(lane('any', 'trouble'), 0, failure('server_error', 500), false)).toBe(1);
    expect(afterShardFailure(lane('any', 'trouble'), 0, failure('invalid_request', 400), true)).toBeNull();
    expect(afterShardFailure(lane('any', [400]), 0, failure('invalid_request', 400), true)).toBe(1);
  });
});

describe('the states of a shard', () => {
  it('end, and can all be reached', () => {
    expect(SHARD_STATES.filter((state) => SHARD_STATES.every((to) => !canMoveShard(state, to)))).toEqual(['done']);
    for (const state of SHARD_STATES) {
      if (state !== 'pending') expect(SHARD_STATES.some((from) => canMoveShard(from, state))).toBe(true);
    }
  });
});
