import type { Call, Provider, Result } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { unfitAt } from '../../core/heal-line.ts';
import type { Candidate } from '../../core/lane.ts';
import { requestFor } from '../../core/request-for.ts';
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

interface AttemptEvents {
  /** The request goes out: never called for one that is refused, or that another's answer serves. */
  sent(): void;
  /** Called once, and never before the call returns: there is one for every line, so that it costs no promise of its own. */
  done(outcome: AttemptOutcome): void;
}

/** Makes one call for a line: parameters, conversion, execution. Never throws. */
export function runAttempt(
  deps: Deps,
  job: Job,
  candidate: Candidate,
  provider: Provider,
  member: string,
  { sent, done }: AttemptEvents,
): void {
  const { immediate } = provider;
  if (!immediate) {
    const failure = refusal('unsupported', 'mode_unsupported', `${provider.name} takes no single requests`);
    queueMicrotask(() => done(refused(failure)));
    return;
  }
  const unfit = unfitAt(job, job.progress.candidate);
  const converted = provider.convert(requestFor(job.request, candidate, unfit), candidate.model);
  if (!converted.ok) {
    queueMicrotask(() => done(refused(converted.failure)));
    return;
  }
  const startedAt = deps.clock.micros();
  const call: Call = {
    http: deps.http,
    member,
    timeoutMs: candidate.requestTimeoutMs ?? deps.settings.requestTimeoutMs,
    maxResponseBytes: deps.settings.maxResponseBytes,
    nowMs: deps.clock.now(),
    signal: job.segment.batch.abort.signal,
    traffic: 'batch',
  };
  const settle = (result: Result, cached: boolean): void =>
    done({
      result,
      cached,
      failure: result.ok ? null : result.failure,
      warnings: warningsOf(converted.warnings, result),
      reached: result.ok || result.failure.reachedProvider,
      latencyMs: (deps.clock.micros() - startedAt) / 1000,
    });
  const { row, budget } = job.segment.batch;
  const keySeconds = budget?.stated.cache_seconds ?? null;
  const ask = cacheAsk(row.tenantId, job.request, candidate, keySeconds, { unfit: job.unfit, raisedBy: unfit });
  const send = (): Promise<Result> => {
    sent();
    return immediate.execute(converted.request, call);
  };
  if (ask === null) void send().then((result) => settle(result, false));
  else void deps.answers.through(ask, send).then(({ result, cached }) => settle(result, cached));
}

function warningsOf(before: string[], result: Result): string[] {
  return result.ok && result.warnings.length > 0 ? [...before, ...result.warnings] : before;
}

function refused(failure: Failure): AttemptOutcome {
  return { result: null, failure, warnings: [], reached: false, latencyMs: 0 };
}
