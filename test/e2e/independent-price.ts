/** What answers cost, worked out again from the price files as text: the server's own arithmetic is what is under test. */
import { priceFiles } from '../../config/prices/index.ts';

type Card = Record<string, string>;

interface File {
  provider: string;
  models: Record<string, { prices: { from: string; region?: string | string[]; standard: Card; batch?: Card }[] }>;
}

/**
 * The prices of a model that hold today in a region, USD per million tokens: those for the region, or where there are
 * none those that name no region. Throws where there are neither.
 */
export function cardOf(provider: string, model: string, mode: 'standard' | 'batch', region?: string): Card {
  const today = new Date().toISOString().slice(0, 10);
  const files = (priceFiles as readonly File[]).filter((file) => file.provider === provider);
  const rows = files.flatMap((file) => file.models[model]?.prices ?? []).filter(({ from }) => from <= today);
  const here = rows.filter((row) => region !== undefined && [row.region].flat().includes(region));
  const valid = here.length > 0 ? here : rows.filter((row) => row.region === undefined);
  const card = valid.toSorted((a, b) => (a.from < b.from ? 1 : -1))[0]?.[mode];
  if (card === undefined) throw new Error(`no ${mode} price of ${provider}/${model}`);
  return card;
}

/** Nano-dollars for tokens at a price, rounded half to even. */
export function nanoDollars(tokens: number, usdPerMillion: string): bigint {
  const [whole = '0', fraction = ''] = usdPerMillion.split('.');
  const product = BigInt(tokens) * BigInt(whole + fraction.padEnd(9, '0'));
  const quotient = product / 1_000_000n;
  const twice = (product % 1_000_000n) * 2n;
  const up = twice > 1_000_000n || (twice === 1_000_000n && quotient % 2n === 1n);
  return quotient + (up ? 1n : 0n);
}

export interface CompletionUsage {
  prompt_tokens: number;
  completion_tokens?: number | undefined;
  prompt_tokens_details?: { cached_tokens?: number | undefined; cache_write_tokens?: number | undefined } | undefined;
  completion_tokens_details?: { reasoning_tokens?: number | undefined } | undefined;
}

/** The price of one answer. Of the tokens written to a cache, a third is kept for an hour. */
export function priceOf(usage: CompletionUsage, card: Card): bigint {
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
  const written = usage.prompt_tokens_details?.cache_write_tokens ?? 0;
  const hour = written / 3;
  const reasoning = usage.completion_tokens_details?.reasoning_tokens ?? 0;
  const { input = '', output = '' } = card;
  return (
    nanoDollars(usage.prompt_tokens - cached - written, input) +
    nanoDollars(cached, card.cached_input ?? input) +
    nanoDollars(written - hour, card.cache_write ?? input) +
    nanoDollars(hour, card.cache_write_1h ?? '0') +
    nanoDollars((usage.completion_tokens ?? 0) - reasoning, output) +
    nanoDollars(reasoning, output)
  );
}
