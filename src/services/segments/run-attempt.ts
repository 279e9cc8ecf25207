import type { Provider, Result } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { raiseLimits } from '../../core/healing.ts';
import type { Candidate } from '../../core/lane.ts';
import { applyParams } from '../../core/params.ts';
import type { Deps } from '../../ports/deps.ts';
import { cacheAsk } from '../cache/cache-key.ts';
import type { Job } from './work.ts';

export interface AttemptOutcome {
  /** null when the line was refused before a call. */
  result: Result | null;
  failure: Failure | null;
  warnings: string[];
  /** True when the request may have reached the provider: then it has an entry in the ledger. */
  reached: boolean;
  latencyMs: number;
  /** The answer was there already: nothing was sent. */
  cached?: boolean;
}

/** Makes one call for a line: parameters, conversion, execution. Never throws. */
export async function runAttempt(
  deps: Deps,
  job: Job,
  candidate: Candidate,
  provider: Provider,
  member: string,
): Promise<AttemptOutcome> {
  const immediate = provider.immediate;
  if (!immediate)
    return refused(refusal('unsupported', 'mode_unsupported', `${provider.name} takes no single requests`));
  const body = raiseLimits(applyParams(job.request.body, candidate.params), candidate, job.unfit);
  const converted = provider.convert({ ...job.request, body }, candidate.model);
  if (!converted.ok) return refused(converted.failure);
  const startedAt = deps.clock.micros();
  // An answer that did not serve is not asked for again of the cache.
  const ask = job.unfit.length > 0 ? null : cacheAsk(job.segment.batch.row.tenantId, job.request, candidate);
  const send = (): Promise<Result> =>
    immediate.execute(converted.request, {
      http: deps.http,
      member,
      timeoutMs: candidate.requestTimeoutMs ?? deps.settings.requestTimeoutMs,
      maxResponseBytes: deps.settings.maxResponseBytes,
      nowMs: deps.clock.now(),
      signal: job.segment.batch.abort.signal,
      traffic: 'batch',
    });
  const { result, cached } =
    ask === null ? { result: await send(), cached: false } : await deps.answers.through(ask, send);
  return {
    result,
    cached,
    failure: result.ok ? null : result.failure,
    warnings: result.ok ? [...converted.warnings, ...result.warnings] : converted.warnings,
    reached: result.ok || result.failure.reachedProvider,
    latencyMs: (deps.clock.micros() - startedAt) / 1000,
  };
}

function refused(failure: Failure): AttemptOutcome {
  return { result: null, failure, warnings: [], reached: false, latencyMs: 0 };
}
