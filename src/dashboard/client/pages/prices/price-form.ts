import type { PriceObject } from '../../../../protocol/price.ts';
import { nowSeconds } from '../../format.ts';

const DAY = 86_400;

export const MODES = ['standard', 'batch', 'flex', 'priority', 'fast'] as const;

/** Every rate that a price may have, in the API's names. */
export const TOKEN_RATES = [
  ['input', 'Input'],
  ['output', 'Output'],
  ['cached_input', 'Cached input'],
  ['cache_write', 'Cache write, 5 minutes'],
  ['cache_write_1h', 'Cache write, 1 hour'],
  ['reasoning', 'Reasoning'],
  ['input_audio', 'Audio in'],
  ['cached_audio', 'Cached audio'],
  ['output_audio', 'Audio out'],
  ['input_image', 'Images in'],
  ['output_image', 'Images out'],
] as const;
export const CALL_RATES = [
  ['web_search', 'Web search'],
  ['file_search', 'File search'],
] as const;

const RATES = [...TOKEN_RATES, ...CALL_RATES].map(([rate]) => rate);

/**
 * Texts by the names that the API has for the fields: `provider`, `standard.input`, `tiers.0.above_input_tokens`,
 * `tiers.0.batch.output`.
 */
export type Form = Record<string, string>;

/** What a successor keeps of a price that the form does not show, so that nothing is left without a price by it. */
type Kept = Record<string, unknown>;

/** The form of a new price, or of the successor of one. It begins tomorrow. */
export function formOf(start: { provider: string; model: string; price: PriceObject | null } | null): Form {
  const { provider = '', model = '', price = null } = start ?? {};
  const form: Form = {
    provider,
    model,
    from: new Date((nowSeconds() + DAY) * 1000).toISOString().slice(0, 10),
    region: [price?.region ?? []].flat().join(', '),
    source: '',
  };
  if (price === null) return form;
  const cards: [string, unknown][] = MODES.map((mode) => [mode, price[mode]]);
  for (const [index, tier] of price.tiers.entries()) {
    form[`tiers.${index}.above_input_tokens`] = String(tier.above_input_tokens);
    cards.push(...MODES.map((mode): [string, unknown] => [`tiers.${index}.${mode}`, tier[mode]]));
  }
  for (const [name, card] of cards) {
    for (const [rate, usd] of Object.entries(card ?? {})) form[`${name}.${rate}`] = String(usd);
  }
  return form;
}

/** How many context tiers the form has. */
export function tiersOf(form: Form): number {
  let count = 0;
  while (form[`tiers.${count}.above_input_tokens`] !== undefined) count += 1;
  return count;
}

/** The form without one of its tiers; the later ones move up. */
export function withoutTier(form: Form, tier: number): Form {
  const fields = Object.entries(form).flatMap(([name, value]): [string, string][] => {
    const match = /^tiers\.(\d+)\.(.+)$/.exec(name);
    const index = Number(match?.[1]);
    if (match === null || index < tier) return [[name, value]];
    return index === tier ? [] : [[`tiers.${index - 1}.${match[2]}`, value]];
  });
  return Object.fromEntries(fields);
}

/** The card that a refused field stands on; null for a field that stands on none. */
export function cardOf(param: string | null): string | null {
  const match = /^((?:tiers\.\d+\.)?)(\w+)(?:\.\w+)?$/.exec(param ?? '');
  if (match === null) return null;
  const [, tier = '', name = ''] = match;
  if (MODES.some((mode) => mode === name)) return `${tier}${name}`;
  return tier === '' ? null : `${tier}standard`;
}

export function keptOf(price: PriceObject | null): Kept {
  if (price === null) return {};
  const { hours, aliases } = price;
  return { ...(hours !== null && { hours }), ...(aliases.length > 0 && { aliases }) };
}

/** The form as the API takes it: empty rates are left out, and a mode without rates has no card. */
export function bodyOf(form: Form, kept: Kept): object {
  const read = (name: string) => form[name]?.trim() ?? '';
  const cards = (prefix: string) => {
    const filled = MODES.flatMap((mode) => {
      const rates = RATES.map((rate) => [rate, read(`${prefix}${mode}.${rate}`)]).filter(([, usd]) => usd !== '');
      return rates.length === 0 ? [] : [[mode, Object.fromEntries(rates)]];
    });
    return Object.fromEntries(filled) as Record<string, Record<string, string>>;
  };
  const tiers = Array.from({ length: tiersOf(form) }, (_, index) => {
    const above = read(`tiers.${index}.above_input_tokens`);
    return { above_input_tokens: /^\d+$/.test(above) ? Number(above) : above, ...cards(`tiers.${index}.`) };
  });
  const regions = read('region')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const source = read('source');
  return {
    provider: read('provider'),
    model: read('model'),
    from: read('from'),
    ...kept,
    ...(regions.length > 0 && { region: regions.length === 1 ? regions[0] : regions }),
    ...cards(''),
    ...(tiers.length > 0 && { tiers }),
    ...(source !== '' && { source }),
  };
}
