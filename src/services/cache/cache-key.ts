import { createHash } from 'node:crypto';
import { canonicalJson } from '../../core/canonical-json.ts';
import { raiseLimits, type Unfit } from '../../core/healing.ts';
import type { KeyBudget } from '../../core/key-budget.ts';
import { type Candidate, targetName } from '../../core/lane.ts';
import { applyParams } from '../../core/params.ts';
import type { Soon } from '../../core/soon.ts';
import type { CacheAsk } from '../../ports/answer-cache.ts';
import type { KeyLimiter } from '../../ports/key-limiter.ts';
import type { RequestLine } from '../../protocol/request-line.ts';

/** What does not change the answer. */
const ASIDE = new Set([
  'metadata',
  'stream',
  'stream_options',
  'store',
  'user',
  'safety_identifier',
  'prompt_cache_key',
]);

/** A request's answers that were not taken, and those of them by which its limits are raised. */
interface After {
  unfit: readonly Unfit[];
  raisedBy: readonly Unfit[];
}

const NOTHING: After = { unfit: [], raisedBy: [] };

/**
 * The question that a request is to one of its targets; null when neither its route nor its key (`keySeconds`) allows an answer to be given again.
 * Its key covers the tenant, the endpoint, the provider and its own model, and the body after the target's parameters.
 * What is asked after answers that were not taken is another question, with an answer of its own.
 */
export function cacheAsk(
  tenantId: string,
  request: Pick<RequestLine, 'endpoint' | 'body'>,
  candidate: Candidate,
  keySeconds: number | null,
  after: After = NOTHING,
): CacheAsk | null {
  const maxAgeSeconds = candidate.cache?.maxAgeSeconds ?? keySeconds;
  if (maxAgeSeconds === null) return null;
  return { tenantId, key: questionKey(tenantId, request, candidate, after), maxAgeSeconds };
}

/** The key of the question that a request is to a target, whether or not its answer may be given again. */
export function questionKey(
  tenantId: string,
  { endpoint, body }: Pick<RequestLine, 'endpoint' | 'body'>,
  candidate: Pick<Candidate, 'provider' | 'model' | 'params' | 'healing'>,
  { unfit, raisedBy }: After = NOTHING,
): string {
  const { provider, model, params } = candidate;
  const sent = raiseLimits(applyParams(body, params), candidate, raisedBy);
  const asked = Object.entries(sent).filter(([name]) => name !== 'model' && !ASIDE.has(name));
  const before = unfit.filter(({ target }) => target === targetName(candidate)).length;
  const again = before === 0 ? [] : [before];
  const text = canonicalJson([tenantId, endpoint, provider, model, Object.fromEntries(asked), ...again]);
  return createHash('sha256').update(text).digest('hex');
}

/** For how long answers may be given again to this key where its routes do not say; null when it has not asked for that. */
export function keyCacheSeconds(limiter: KeyLimiter, keyId: string | null): Soon<number | null> {
  const budget = limiter.budget(keyId);
  return budget instanceof Promise ? budget.then(cacheSecondsOf) : cacheSecondsOf(budget);
}

function cacheSecondsOf(budget: KeyBudget | null): number | null {
  return budget?.stated.cache_seconds ?? null;
}
