import { type compilePrices, findRates, type RatesQuery } from '../../src/core/price-book.ts';
import type { FoundRates } from '../../src/core/rates.ts';

/** Seconds since 1970. */
export const at = (time: string) => Date.parse(time) / 1000;
export const autumn = at('2026-10-01T12:00:00Z');

/** A price file of one provider. */
export function file(models: object, version = 'v1', provider = 'p') {
  return { provider, version, currency: 'USD', source: 'test', verified_on: '2026-01-01', models };
}

/** A row of prices from a day on; output costs 8 USD per million tokens. */
export function row(from: string, input: string, more: object = {}) {
  return { from, standard: { input, output: '8' }, ...more };
}

/** A question for standard rates in the autumn, unless told otherwise. */
export function query(model: string, more: Partial<RatesQuery> = {}): RatesQuery {
  return { provider: 'p', model, mode: 'standard', at: autumn, ...more };
}

/** The rates found; throws where there are none. */
export function found(book: ReturnType<typeof compilePrices>, asked: RatesQuery): FoundRates {
  const result = findRates(book, asked);
  if ('unpriced' in result) throw new Error(result.unpriced);
  return result;
}
