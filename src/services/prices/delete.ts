import { ApiError, notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import { refreshPrices } from './refresh.ts';

/** Withdraws a stated price that has not begun. Throws 404, or 409 for one by which entries may have been made. */
export async function deletePrice(
  deps: Pick<Deps, 'store' | 'prices' | 'priceFiles' | 'clock'>,
  id: string,
): Promise<void> {
  const row = (await deps.store.prices.list()).find((each) => each.id === id);
  if (row === undefined) throw notFound('price', id);
  const start = Date.parse(`${row.price.from}T00:00:00Z`) / 1000;
  if (start <= unixSeconds(deps.clock)) {
    const message = `The price has held since ${row.price.from}, so entries may refer to it. State another one from a later day.`;
    throw new ApiError(409, message, { code: 'price_in_effect', param: 'id' });
  }
  await deps.store.prices.delete(id);
  await refreshPrices(deps);
}
