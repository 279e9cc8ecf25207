import { compilePrices, replacePrices } from '../../core/price-book.ts';
import { toPriceFile } from '../../core/stated-price.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';

type RefreshDeps = Pick<Deps, 'store' | 'prices' | 'priceFiles' | 'clock'>;

/** What each book was last made of, and when that was asked. */
const states = new WeakMap<object, { ids: string; at: number }>();

/**
 * Takes what administrators stated into the price book, when it has changed. Another process may have stated it: whoever
 * prices entries asks every minute. With `maxAgeSeconds`, a book that was looked after within that time is left alone.
 */
export async function refreshPrices(deps: RefreshDeps, maxAgeSeconds = 0): Promise<void> {
  const now = unixSeconds(deps.clock);
  const known = states.get(deps.prices);
  if (known !== undefined && now - known.at < maxAgeSeconds) return;
  const rows = await deps.store.prices.list();
  const ids = rows.map(({ id }) => id).join();
  if ((known?.ids ?? '') !== ids) {
    const stated = rows.map(({ id, price, source, createdAt }) => toPriceFile(id, price, source, createdAt));
    replacePrices(deps.prices, compilePrices([...(deps.priceFiles ?? []), ...stated]));
  }
  states.set(deps.prices, { ids, at: now });
}
