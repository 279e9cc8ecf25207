/** What about a provider batch is worth an operator's look. Pure. */
import type { ShardAlertCode } from '../protocol/shard-alert.ts';
import type { FailureKind } from './failure.ts';
import { isUntouched, type ShardState } from './shard-state.ts';

/** Failures that no retry mends: somebody has to change a key, a right or a balance. */
export const OPERATOR_KINDS: readonly FailureKind[] = ['authentication', 'permission', 'quota_exhausted'];
/** Results of an ended provider batch that are not read for so long are in trouble, as is the answer to a create call. */
export const UNREAD_SECONDS = 600;

export interface ShardAlert {
  code: ShardAlertCode;
  message: string;
  /** Unix seconds; null when unknown. */
  since: number | null;
}

/** A target at which a shard waits for an operator: others are not tried there until it is tried again. */
export interface PausedTarget {
  provider: string;
  /** null: all models of the provider. */
  model: string | null;
  code: string;
  message: string;
  /** Unix seconds: when it is tried again. */
  until: number;
}

interface Alarmed {
  provider: string;
  model: string;
  state: ShardState;
  providerBatchId: string | null;
  refs: Readonly<Record<string, string>>;
  failure: { kind: FailureKind; code: string; message: string; reachedProvider: boolean } | null;
  progressAt: number | null;
  endedAt: number | null;
  nextAt: number;
  hours: 'waits' | 'missed' | 'left' | null;
}

/** The alert of a shard; null when it goes its way. */
export function shardAlert(
  shard: Alarmed,
  at: {
    now: number;
    stuckSeconds: number;
    paused: readonly PausedTarget[];
    /** That its provider is not configured as it was when the provider batch was made; null where it is. */
    outOfReach?: () => { message: string } | null;
  },
): ShardAlert | null {
  const { state, failure, progressAt, endedAt } = shard;
  if (state === 'done' && shard.hours === 'left') return outsideHours(shard);
  if (state === 'abandoned') return shard.providerBatchId === null ? submitUnknown(progressAt) : null;
  if (state === 'done') return null;
  if (state === 'collecting') {
    if (endedAt === null || at.now - endedAt < UNREAD_SECONDS) return null;
    return {
      code: 'results_unread',
      message: at.outOfReach?.()?.message ?? "The provider's results cannot be read yet; it is tried on.",
      since: endedAt,
    };
  }
  if (failure && OPERATOR_KINDS.includes(failure.kind)) {
    return { code: 'needs_operator', message: `${failure.code}: ${failure.message}`, since: null };
  }
  if (state === 'submitting' && !isUntouched(shard) && progressAt !== null && at.now - progressAt >= UNREAD_SECONDS) {
    return submitUnknown(progressAt);
  }
  const pause = state === 'pending' ? at.paused.find((target) => isOf(target, shard)) : undefined;
  if (pause) return { code: 'needs_operator', message: `${pause.code}: ${pause.message}`, since: null };
  if (state !== 'running' || progressAt === null || at.now - progressAt < at.stuckSeconds) return outsideHours(shard);
  const hours = Math.floor((at.now - progressAt) / 360) / 10;
  return { code: 'stuck', message: `The provider has shown no progress for ${hours} h.`, since: progressAt };
}

function submitUnknown(since: number | null): ShardAlert {
  const message = 'Nobody knows whether the provider took the batch: it is looked for, as it may run and cost.';
  return { code: 'submit_unknown', message, since };
}

function outsideHours({ state, hours, nextAt }: Alarmed): ShardAlert | null {
  const alert = (message: string): ShardAlert => ({ code: 'outside_hours', message, since: null });
  switch (hours) {
    case null:
      return null;
    case 'waits':
      if (state !== 'pending') return null;
      return alert(`It waits for the hours of its target, which begin at ${new Date(nextAt * 1000).toISOString()}.`);
    case 'missed':
      return alert('It was submitted outside the hours of its target, which begin too late for its window.');
    case 'left':
      return alert('Its requests went to the next target: the hours of this one begin too late for its window.');
  }
}

function isOf(target: PausedTarget, shard: { provider: string; model: string }): boolean {
  return target.provider === shard.provider && (target.model === null || target.model === shard.model);
}
