import { requestFor } from '../../core/request-for.ts';
import { statedOutputLimit } from '../../core/tokens.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import { upperBound } from '../budgets/upper-bound.ts';
import { targetOf } from './candidates.ts';
import type { Job } from './work.ts';

/** Counts a line that is tried again with a larger limit for what it may come to now: its budgets leave others less. */
export function raiseBound(deps: Deps, job: Job): void {
  const { allowance } = job.segment.batch;
  const candidate = targetOf(job);
  if (!allowance.bounded || job.boundNano === null || candidate === undefined) return;
  const request = requestFor(job.request, candidate, job.unfit);
  const more = statedOutputLimit(request.body) - statedOutputLimit(job.request.body);
  const asked = { request, tokens: job.tokens + Math.max(0, more) };
  const bound = upperBound(deps, job.candidates, asked, unixSeconds(deps.clock));
  if (bound <= job.boundNano) return;
  allowance.outstanding += bound - job.boundNano;
  job.boundNano = bound;
}
