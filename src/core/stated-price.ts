/** Prices that administrators state while Weir runs: what one looks like, and how the price book takes it in. */
import { z } from 'zod';
import { closedObject } from '../protocol/closed-object.ts';
import { currencyProblem, currencyShape, type PriceFile, type PriceRow, priceRowShape, rowProblem } from './rates.ts';

/** A dated price of one model: a row of a price file with what the file says around it. */
export const statedPriceSchema = closedObject({
  /** As the price files name it: openai, azure, bedrock, … */
  provider: z.string().min(1).max(64),
  model: z.string().min(1).max(256),
  aliases: z.array(z.string().min(1).max(256)).max(50).optional(),
  ...currencyShape,
  currency: currencyShape.currency.default('USD'),
  ...priceRowShape,
}).superRefine((price, context) => {
  for (const message of [rowProblem(price), currencyProblem(price)]) {
    if (message !== null) context.addIssue({ code: 'custom', message });
  }
});

export type StatedPrice = z.infer<typeof statedPriceSchema>;

/** The regions that a price names; none where it holds wherever no other does. */
export function regionsOf({ region }: Pick<StatedPrice, 'region'>): string[] {
  return region === undefined ? [] : [region].flat();
}

/** What tells apart prices of one model that start on the same day: region and hours. */
export function slotOf({ region, hours }: Pick<StatedPrice, 'region' | 'hours'>): string {
  return [regionsOf({ region }).toSorted().join(','), hours?.join('-') ?? ''].join(' ').trim();
}

/** The price as a price file of its own, whose version is the price's id. */
export function toPriceFile(id: string, price: StatedPrice, source: string, createdAt: number): PriceFile {
  const { provider, model, aliases, currency, usd_rate, usd_rate_on, ...row } = price;
  return {
    provider,
    version: id,
    currency,
    ...(usd_rate !== undefined && { usd_rate }),
    ...(usd_rate_on !== undefined && { usd_rate_on }),
    is_own: true,
    source,
    verified_on: new Date(createdAt * 1000).toISOString().slice(0, 10),
    models: { [model]: { ...(aliases && { aliases }), prices: [row as PriceRow] } },
  };
}
