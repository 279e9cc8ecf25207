import { parseAtto } from './exact-usd.ts';

export type Get = (...columns: string[]) => string;
interface Tokens {
  inputTokens: number | null;
  outputTokens: number | null;
}

/** One kind of export. Columns are compared in lower case, letters and digits alone; the first that is there counts. */
export interface BillFormat {
  name: string;
  /** Columns that only this kind has, and how people write them. */
  sign: readonly string[];
  signShown: string;
  /** One of each must be there. */
  needs: readonly (readonly string[])[];
  day: readonly string[];
  amount: readonly string[];
  /** Empty where the row does not say. */
  currency(get: Get): string;
  /** Whether a row is about models at all. */
  isOurs(get: Get): boolean;
  model(get: Get): string;
  tokens(get: Get): Tokens | 'unreadable';
}

const NO_TOKENS: Tokens = { inputTokens: null, outputTokens: null };
const ATTO = 10n ** 18n;
const UNITS: Readonly<Record<string, bigint>> = { '': 1n, k: 1_000n, m: 1_000_000n };

/** A quantity of `1K tokens`, `1M`, `Tokens`, by what the row says of its direction. Null where no unit is of tokens. */
function measured(quantity: string, unit: string, what: string): Tokens | 'unreadable' {
  const match = /^(\d+)? ?([km])? ?tokens?$/i.exec(unit.trim()) ?? /^(\d+) ?([km])$/i.exec(unit.trim());
  if (match === null || quantity === '') return NO_TOKENS;
  const amount = parseAtto(quantity);
  if (amount === null) return 'unreadable';
  const one = BigInt(match[1] ?? '1') * (UNITS[(match[2] ?? '').toLowerCase()] ?? 1n);
  // Quantities are rounded in exports: to the nearest token.
  const tokens = Number((amount * one + ATTO / 2n) / ATTO);
  if (/(^|[^a-z])(out|outp|outpt|opt|output)([^a-z]|token|$)/i.test(what))
    return { ...NO_TOKENS, outputTokens: tokens };
  if (/(^|[^a-z])(in|inp|inpt|input|cache\w*|cchd|prompt)([^a-z]|token|$)/i.test(what)) {
    return { ...NO_TOKENS, inputTokens: tokens };
  }
  return NO_TOKENS;
}

/** What comes before the first word that is not the model's. */
function before(text: string, words: RegExp): string {
  const at = text.search(words);
  return (at > 0 ? text.slice(0, at) : text).replace(/[\s\-_,:]+$/, '');
}

const aws: BillFormat = {
  name: 'an AWS Cost and Usage Report',
  sign: ['lineitemusagestartdate'],
  signShown: 'lineItem/UsageStartDate or line_item_usage_start_date, …',
  needs: [['lineitemunblendedcost'], ['lineitemusagetype'], ['lineitemproductcode']],
  day: ['lineitemusagestartdate'],
  amount: ['lineitemunblendedcost'],
  currency: (get) => get('lineitemcurrencycode'),
  isOurs: (get) =>
    /bedrock/i.test([get('lineitemproductcode'), get('productproductname'), get('productservicename')].join()),
  model(get) {
    const type = get('lineitemlineitemtype');
    if (type !== '' && !/usage/i.test(type)) return `(${type})`;
    // Models of AWS Marketplace are named by their product: `Claude Haiku 4.5 (Amazon Bedrock Edition)`.
    const product = get('productproductname');
    if (/bedrock edition/i.test(product)) return product.replace(/\s*\(.*\)\s*$/, '');
    const usage = get('lineitemusagetype').replace(/^[A-Z]{2,4}\d?-/, '');
    return before(usage, /[-_.:](input|output|cache|text|batch|on-?demand|inputtoken|outputtoken)/i);
  },
  tokens: (get) => measured(get('lineitemusageamount'), get('pricingunit'), get('lineitemusagetype')),
};

const google: BillFormat = {
  name: 'a Google Cloud billing export',
  sign: ['usagestarttime', 'cost'],
  signShown: 'usage_start_time, cost, service.description, sku.description, …',
  needs: [['skudescription'], ['servicedescription']],
  day: ['usagestarttime'],
  amount: ['cost'],
  currency: (get) => get('currency'),
  isOurs: (get) => /vertex|gemini|claude|generative/i.test(get('servicedescription')),
  model: (get) =>
    before(
      get('skudescription'),
      /\s*[-–(]?\s*\b(text|image|audio|video|input|output|ga|batch|cach\w*|thinking|predictions?)\b/i,
    ),
  tokens: (get) =>
    measured(
      get('usageamountinpricingunits', 'usageamount'),
      get('usagepricingunit', 'usageunit'),
      get('skudescription'),
    ),
};

const azure: BillFormat = {
  name: 'an Azure cost export',
  sign: ['metercategory', 'metername'],
  signShown: 'Date, MeterCategory, MeterName, CostInBillingCurrency, …',
  needs: [
    ['date', 'usagedatetime', 'usagedate'],
    ['costinusd', 'costinbillingcurrency', 'pretaxcost', 'cost'],
  ],
  day: ['date', 'usagedatetime', 'usagedate'],
  amount: ['costinusd', 'costinbillingcurrency', 'pretaxcost', 'cost'],
  currency: (get) =>
    get('costinusd') === '' ? get('billingcurrency', 'billingcurrencycode', 'currency', 'currencycode') : 'USD',
  isOurs: (get) => /openai|cognitive|foundry/i.test(`${get('metercategory')} ${get('metersubcategory')}`),
  model: (get) =>
    before(
      get('metername'),
      /[\s-](cached|cchd|cach\w*|inp\w*|input|out\w*|opt|batch|btch|glbl|regnl|reg|dzn?|data|tokens?)\b/i,
    ),
  tokens: (get) => measured(get('quantity'), get('unitofmeasure'), get('metername')),
};

const plain: BillFormat = {
  name: 'a plain bill',
  sign: ['day', 'model'],
  signShown: 'day, model, amount_usd, input_tokens, output_tokens',
  needs: [['amountusd', 'inputtokens', 'outputtokens']],
  day: ['day'],
  amount: ['amountusd'],
  currency: (get) => get('currency'),
  isOurs: () => true,
  model: (get) => get('model'),
  tokens(get) {
    const [input, output] = [get('inputtokens'), get('outputtokens')];
    if (![input, output].every((text) => /^\d{0,15}$/.test(text))) return 'unreadable';
    const count = (text: string) => (text === '' ? null : Number(text));
    return { inputTokens: count(input), outputTokens: count(output) };
  },
};

export const billFormats: readonly BillFormat[] = [aws, google, azure, plain];
