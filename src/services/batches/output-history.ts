import type { OutputTokens } from '../../core/estimate.ts';
import type { Deps } from '../../ports/deps.ts';
import type { LedgerFilter } from '../../ports/store-ledger.ts';

const DAY = 86_400;
/** Days that are looked back. */
const DAYS = 30;
/** Fewer answers tell nothing. */
const ANSWERS_LEAST = 20;
const SAMPLE = 300;

/**
 * How long this tenant's answers from a target were of late: a tenth were shorter than `low`, `expected` is their mean, one
 * in twenty was longer than `high`. Null when there were too few.
 */
export async function outputHistory(
  deps: Pick<Deps, 'store'>,
  tenantId: string,
  target: { provider: string; model: string },
  now: number,
): Promise<OutputTokens | null> {
  const from = now - (now % DAY) - DAYS * DAY;
  const { provider, model } = target;
  const filter: LedgerFilter = { tenantId, provider, model, status: 'succeeded' };
  const days = await deps.store.ledger.summary({ ...filter, from }, ['day'], null);
  const answers = days.reduce((sum, { entries }) => sum + entries, 0);
  const last = days.findLast(({ entries }) => entries > 0)?.group.day;
  if (answers < ANSWERS_LEAST || typeof last !== 'number') return null;
  const latest = await deps.store.ledger.latestOutputTokens({ ...filter, from: last, to: last + DAY }, SAMPLE);
  const lengths = latest.sort((left, right) => left - right);
  const at = (share: number) => lengths[Math.min(lengths.length - 1, Math.floor(lengths.length * share))] ?? 0;
  const mean = days.reduce((sum, { outputTokens }) => sum + outputTokens, 0) / answers;
  const expected = Math.ceil(mean);
  return { low: Math.min(at(0.1), expected), expected, high: Math.max(at(0.95), expected) };
}

/** So long a history is taken for that of now: it is made of thirty days. */
const FRESH_SECONDS = 10;
const TARGETS_MAX = 1_000;

/** What was found last, by store and target. */
const found = new WeakMap<object, Map<string, { history: OutputTokens; at: number }>>();

/** As `outputHistory`, up to some seconds old: for the many small batches of one target. */
export async function recentHistory(...asked: Parameters<typeof outputHistory>): Promise<OutputTokens | null> {
  const [{ store }, tenantId, { provider, model }, now] = asked;
  const known = found.get(store) ?? new Map<string, { history: OutputTokens; at: number }>();
  found.set(store, known);
  const key = JSON.stringify([tenantId, provider, model]);
  const last = known.get(key);
  if (last !== undefined && Math.abs(now - last.at) < FRESH_SECONDS) return last.history;
  const history = await outputHistory(...asked);
  known.delete(key);
  // A target without answers enough may have them with the next batch.
  if (history !== null) known.set(key, { history, at: now });
  if (known.size > TARGETS_MAX) known.delete(known.keys().next().value ?? '');
  return history;
}
