import type { MatchLogic, ModelInfo, ModelPrice } from '@pydantic/genai-prices';
import { decimalOf, type HeldPrice, type ListedPrice } from '../../core/price-import.ts';

/** Our price files and what the package calls their providers. */
const PROVIDERS: Readonly<Record<string, string>> = {
  openai: 'openai',
  azure: 'azure',
  bedrock: 'aws',
  vertex: 'google',
  anthropic: 'anthropic',
  cohere: 'cohere',
  mistral: 'mistral',
  groq: 'groq',
  deepseek: 'deepseek',
  'together-ai': 'together',
  'x-ai': 'x-ai',
};

/** Prices per million tokens; those by the call are per thousand there. */
const RATES: Readonly<Record<string, string>> = {
  input_mtok: 'input',
  output_mtok: 'output',
  cache_read_mtok: 'cached_input',
  cache_write_mtok: 'cache_write',
  cache_write_1h_mtok: 'cache_write_1h',
  input_audio_mtok: 'input_audio',
  cache_audio_read_mtok: 'cached_audio',
  output_audio_mtok: 'output_audio',
  input_image_mtok: 'input_image',
  output_image_mtok: 'output_image',
  web_searches_kcount: 'web_search',
  storage_searches_kcount: 'file_search',
};

/**
 * What @pydantic/genai-prices lists for the models that have a price here, as of `at`. It has no batch prices. Its prices
 * are numbers; what cannot be told exactly is left out.
 */
export async function genaiPrices(held: readonly HeldPrice[], at: Date): Promise<ListedPrice[]> {
  const { findProvider } = await import('@pydantic/genai-prices');
  return held.flatMap(({ provider, model }) => {
    const theirs = PROVIDERS[provider];
    const found = theirs === undefined ? undefined : findProvider({ providerId: theirs });
    const info = found?.models.find((each) => matches(each.match, model.toLowerCase()));
    const prices = info && pricesAt(info, at);
    const listed = prices && toListed(provider, model, prices);
    return listed ? [listed] : [];
  });
}

function matches(logic: MatchLogic, name: string): boolean {
  if ('or' in logic) return logic.or.some((each) => matches(each, name));
  if ('and' in logic) return logic.and.every((each) => matches(each, name));
  if ('equals' in logic) return name === logic.equals.toLowerCase();
  if ('starts_with' in logic) return name.startsWith(logic.starts_with.toLowerCase());
  if ('ends_with' in logic) return name.endsWith(logic.ends_with.toLowerCase());
  if ('contains' in logic) return name.includes(logic.contains.toLowerCase());
  return new RegExp(logic.regex).test(name);
}

/** The last of the dated prices that have begun; prices by the hour of the day are not taken over. */
function pricesAt({ prices }: ModelInfo, at: Date): ModelPrice | null {
  if (!Array.isArray(prices)) return prices;
  if (prices.some(({ constraint }) => constraint?.type === 'time_of_date')) return null;
  const begun = prices.filter(({ constraint }) => {
    return constraint === undefined || constraint.type !== 'start_date' || new Date(constraint.start_date) <= at;
  });
  return begun.at(-1)?.prices ?? null;
}

function toListed(provider: string, model: string, prices: ModelPrice): ListedPrice | null {
  const standard: Record<string, string> = {};
  const tiers = new Map<number, Record<string, string>>();
  for (const [name, price] of Object.entries(prices)) {
    const rate = RATES[name];
    if (rate === undefined || price === undefined) continue;
    const unit = name.endsWith('_kcount') ? 1000 : 1;
    const base = decimalOf((typeof price === 'number' ? price : price.base) / unit);
    if (base === null) return null;
    standard[rate] = base;
    for (const tier of typeof price === 'number' ? [] : price.tiers) {
      const text = decimalOf(tier.price / unit);
      if (text === null) return null;
      // Their tiers begin one below the published bound, which is the last of the cheaper tier.
      const above = tier.start % 1000 === 999 ? tier.start + 1 : tier.start;
      tiers.set(above, { ...tiers.get(above), [rate]: text });
    }
  }
  if (standard.input === undefined) return null;
  const whole = { output: '0', ...standard };
  const listed = [...tiers].map(([above, card]) => ({ above_input_tokens: above, standard: { ...whole, ...card } }));
  return { provider, model, standard: whole, ...(listed.length > 0 && { tiers: listed }) };
}
