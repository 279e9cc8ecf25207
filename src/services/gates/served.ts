import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';

const DAY_SECONDS = 86_400;
/** Whoever was let in so lately most likely will be again. */
const SERVED_DAYS = 30;

/**
 * The names of the providers that answered a request within thirty days, by the ledger: a refusal of their account is no
 * sign of a key that never was right. None where the ledger cannot be read now.
 */
export async function servedProviders({
  store,
  clock,
  log,
}: Pick<Deps, 'store' | 'clock' | 'log'>): Promise<Set<string>> {
  const today = Math.floor(unixSeconds(clock) / DAY_SECONDS);
  // From the start of a day, the sums by day tell all of it.
  const filter = { tenantId: null, from: (today - SERVED_DAYS) * DAY_SECONDS, status: 'succeeded' } as const;
  try {
    const rows = await store.ledger.summary(filter, ['provider'], null);
    return new Set(rows.map(({ group }) => String(group.provider)));
  } catch (error) {
    log.warn({ err: error }, 'the ledger does not tell which providers answered before');
    return new Set();
  }
}
