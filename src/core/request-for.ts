import type { RequestLine } from '../protocol/request-line.ts';
import { raiseLimits, type Unfit } from './healing.ts';
import type { Candidate } from './lane.ts';
import { applyParams, changesNothing } from './params.ts';

/**
 * What is sent to a candidate, in OpenAI's shape: the very request, where nothing of it is changed. `unfit`: its answers
 * that were not taken.
 */
export function requestFor(
  request: RequestLine,
  candidate: Pick<Candidate, 'params' | 'healing'>,
  unfit: readonly Unfit[],
): RequestLine {
  if (unfit.length === 0 && changesNothing(candidate.params)) return request;
  const { customId, endpoint, body } = request;
  return { customId, endpoint, body: raiseLimits(applyParams(body, candidate.params), candidate, unfit) };
}
