/** What the ledger has of the lines of segments. */
import type { Provider } from '../../../providers/contract.ts';
import { routeNameOf } from '../../core/budget-scope.ts';
import type { Candidate } from '../../core/lane.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';
import { cachedEntry } from '../cache/cached-entry.ts';
import { priceAttempt } from '../ledger/price-attempt.ts';
import type { AttemptOutcome } from './run-attempt.ts';
import type { Job } from './work.ts';

type EntryDeps = Pick<Deps, 'prices' | 'ownPrices' | 'clock'>;

interface LineAttempt {
  provider: Provider;
  candidate: Candidate;
  outcome: AttemptOutcome;
  /** It decides its line. */
  final: boolean;
  gpuMicroseconds: number | null;
}

/** The entry of an attempt, whose amount is the line's from now on. */
export function entryOf(deps: EntryDeps, job: Job, attempt: LineAttempt): LedgerEntryRow {
  const { provider, candidate, outcome, final, gpuMicroseconds } = attempt;
  const { row } = job.segment.batch;
  const priced = priceAttempt(deps, {
    tenantId: row.tenantId,
    keyId: row.keyId,
    batchId: row.id,
    customId: job.request.customId,
    line: job.line + 1,
    attempt: job.attempts,
    mode: 'immediate',
    tags: row.metadata,
    route: routeNameOf(row.configName, job.segment.lane),
    provider,
    candidate,
    result: outcome.result,
    final,
    at: unixSeconds(deps.clock),
    latencyMs: Math.round(outcome.latencyMs),
    gpuMicroseconds,
  });
  const entry = outcome.cached === true ? cachedEntry(priced) : priced;
  job.costNano += entry.amountNano ?? 0;
  return entry;
}

/** Entries of lines that an earlier lease may have sent and could not say what became of: the ledger keeps that open. */
export function entriesOfDoubts(deps: EntryDeps & Pick<Deps, 'providers'>, jobs: readonly Job[]): LedgerEntryRow[] {
  const outcome = { result: null, failure: null, warnings: [], reached: true, latencyMs: 0 };
  return jobs.flatMap((job) => {
    const [candidate] = job.candidates;
    const provider = candidate && deps.providers.get(candidate.provider);
    return provider ? entryOf(deps, job, { provider, candidate, outcome, final: false, gpuMicroseconds: null }) : [];
  });
}
