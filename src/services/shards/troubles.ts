/** How long a provider batch, or its answers, cannot be had, and when that is believed. */

import type { ProviderRefs } from '../../../providers/contract.ts';
import type { Failure, FailureKind } from '../../core/failure.ts';
import { OPERATOR_KINDS } from '../../core/shard-alert.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { overdueSince } from './patience.ts';
import { isMisplaced } from './place.ts';
import { type ShardWork, save } from './shard-work.ts';

/** Kept with the refs, as a restart must not begin the count anew. Unix seconds: since when it fails, and when it failed last. */
const SINCE = 'failing_since';
const LAST = 'failed_at';
/** What nobody asked about for so much longer than usual is a new case: nobody saw it fail all the time. */
const UNWATCHED_SECONDS = 900;

/** A provider's lists may lag behind its own create call; what is still not found after this is gone. */
const NOT_FOUND_SECONDS = 600;
/** Results that cannot be read for so long are given up: the provider spoilt them. */
const UNREADABLE_SECONDS = 3_600;

/** The same of answers that nobody waits for. */
const UNREADABLE_WASTE_SECONDS = 86_400;

/** These say nothing of the answers: the way to them is closed, for an operator or the network to open. */
const CLOSED_KINDS: ReadonlySet<FailureKind> = new Set([
  'connection',
  'timeout',
  'authentication',
  'permission',
  'quota_exhausted',
  'rate_limited',
  'overloaded',
]);

/** Since when (Unix seconds) all that is asked about the shard fails; null where it does not. */
export function failingSince({ refs }: { refs: ProviderRefs }): number | null {
  return refs[SINCE] === undefined ? null : Number(refs[SINCE]);
}

/** Notes that asking has failed now. */
export async function noteFailing({ deps, shard }: Pick<ShardWork, 'deps' | 'shard'>): Promise<void> {
  const now = unixSeconds(deps.clock);
  const last = Number(shard.refs[LAST] ?? now);
  const since = failingSince(shard) ?? now;
  // The waits between two looks grow with what it has lasted.
  const usual = UNWATCHED_SECONDS + 2 * deps.settings.pollSecondsMin + (last - since) / 2;
  const begun = now - last > usual ? now : since;
  await save({ deps, shard }, { refs: { ...shard.refs, [SINCE]: String(begun), [LAST]: String(now) } });
}

/** `refs` after something could be asked. */
export function withoutFailing({ [SINCE]: _since, [LAST]: _last, ...refs }: ProviderRefs): ProviderRefs {
  return refs;
}

/** True when a provider batch has not been found for so long that it is gone. */
export function isGone({ deps, shard }: Pick<ShardWork, 'deps' | 'shard'>, failure: Failure): boolean {
  return failure.kind === 'not_found' && lastedSeconds({ deps, shard }) > NOT_FOUND_SECONDS;
}

/** True when the answers of an ended provider batch are to be waited for no longer. */
export function areLost(work: ShardWork, failure: Failure): boolean {
  const { deps, batch } = work;
  const lasted = lastedSeconds(work);
  const isClosed = CLOSED_KINDS.has(failure.kind) || isMisplaced(work, failure);
  if (isClosed && overdueSince(work, unixSeconds(deps.clock)) === null) return false;
  if (isClosed || batch.stop !== null) return lasted >= deps.settings.cancelSeconds;
  return lasted >= (failure.kind === 'not_found' ? NOT_FOUND_SECONDS : UNREADABLE_SECONDS);
}

/** The same of answers that nobody waits for: that it has ended was told just now, so that the network is not what is closed. */
export function isWasteLost(work: Pick<ShardWork, 'deps' | 'shard' | 'api'>, failure: Failure): boolean {
  const isClosed = OPERATOR_KINDS.includes(failure.kind) || isMisplaced(work, failure);
  return !isClosed && lastedSeconds(work) >= UNREADABLE_WASTE_SECONDS;
}

function lastedSeconds({ deps, shard }: Pick<ShardWork, 'deps' | 'shard'>): number {
  const now = unixSeconds(deps.clock);
  return now - (failingSince(shard) ?? now);
}
