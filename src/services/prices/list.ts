import { notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import type { PriceObject } from '../../protocol/price.ts';
import { presentPrice } from './present.ts';

export interface PriceListQuery {
  provider?: string | undefined;
  /** A model's name or alias. */
  model?: string | undefined;
  /** Unix seconds: only the prices that hold then. */
  at?: number | undefined;
  origin?: PriceObject['origin'] | undefined;
  limit: number;
  after?: string | undefined;
}

/** Every price of the book by provider, model and first day, with when it holds. Throws 404 when `after` names none. */
export function listPrices(deps: Pick<Deps, 'prices' | 'clock'>, query: PriceListQuery): Page<PriceObject> {
  const all = allPrices(deps, query.at ?? unixSeconds(deps.clock)).filter((price) => isAskedFor(price, query));
  const start = query.after === undefined ? 0 : all.findIndex(({ id }) => id === query.after) + 1;
  if (query.after !== undefined && start === 0) throw notFound('price', query.after);
  return toPage(all.slice(start, start + query.limit + 1), query.limit);
}

function isAskedFor(price: PriceObject, { provider, model, at, origin }: PriceListQuery): boolean {
  const name = model?.toLowerCase();
  return (
    (provider === undefined || price.provider === provider) &&
    (name === undefined || price.model.toLowerCase() === name || price.aliases.includes(name)) &&
    (origin === undefined || price.origin === origin) &&
    (at === undefined || price.in_effect)
  );
}

function allPrices(deps: Pick<Deps, 'prices'>, at: number): PriceObject[] {
  return [...deps.prices].flatMap(([provider, models]) => {
    const names = Map.groupBy(models.keys(), (name) => models.get(name));
    return [...names].flatMap(([priced, aliases]) => {
      if (priced === undefined) return [];
      return priced.rows.toReversed().map((row) => presentPrice(provider, priced, row, aliases, at));
    });
  });
}
