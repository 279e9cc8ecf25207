import type { ArgsDef } from 'citty';

export const json = { type: 'boolean', description: 'One JSON document on stdout' } as const;
export const watch = { type: 'boolean', description: 'Show progress until the batch ends' } as const;

/** An argument that must be there. */
export const id = (description: string) => ({ type: 'positional', description, required: true }) as const;

/** An option with a value. */
export const text = (valueHint: string, description: string) => ({ type: 'string', valueHint, description }) as const;

/** An option without one. */
export const flag = (description: string) => ({ type: 'boolean', description }) as const;

/** Options that may be given more than once. */
export const REPEATABLE: readonly string[] = ['metadata', 'max', 'map', 'grader', 'param', 'fail-under'];

/** Arguments after parsing; citty's own type would let any other name pass. */
export type Parsed<T extends ArgsDef> = {
  [K in keyof T]: T[K]['type'] extends 'boolean'
    ? boolean | undefined
    : T[K]['required'] extends true
      ? string
      : string | undefined;
};

export const submitArguments = {
  file: id('A batch file: one JSON request per line'),
  route: text('name', 'Route of the server, or an inline {…}'),
  endpoint: text('path', "Default: the first line's url"),
  window: text('time', 'immediate, or a time such as 24h (default)'),
  priority: text('n', '-10 to 10: its share beside your others'),
  metadata: text('k=v', 'Metadata and ledger tag; repeatable'),
  'include-raw': flag("Keep the providers' own lines (weir.raw)"),
  watch,
  output: text('file', 'Wait, then write every line in input order'),
  json,
} as const satisfies ArgsDef;

export const convertArguments = {
  file: id('A batch file: one JSON request per line'),
  to: text('name', 'Provider of the config, or a kind'),
  model: text('name', 'The name the provider knows the model by'),
  route: text('name', "Apply this route's targets and parameters"),
  out: text('file', 'Write to a file in place of stdout'),
  json: { ...json, description: 'A summary as JSON; the lines only with --out' },
} as const satisfies ArgsDef;

const max = text('name=n', 'Such as requests_per_minute=60; repeatable');

export const keyCreateArguments = {
  name: id('What the key is for'),
  admin: flag('An admin key'),
  tenant: text('id', 'Whose key it is (default: yours)'),
  max,
  json,
} as const satisfies ArgsDef;

export const keyLimitArguments = { id: id('Key id'), max, json } as const satisfies ArgsDef;

const budgetSettings = {
  limit: text('usd', 'What may be spent in a period'),
  name: text('text', 'What it is for'),
  'on-insufficient': text('rule', 'reject (default) a batch too large, or stop it'),
  unpriced: text('rule', 'refuse (default) targets without a price, or allow'),
  alerts: text('percents', 'When to tell (default 50,80,100)'),
} as const satisfies ArgsDef;

export const budgetCreateArguments = {
  ...budgetSettings,
  key: text('id', 'Counts this key'),
  tenant: text('id', 'Counts this tenant'),
  tag: text('k=v', 'Counts batches and calls with this metadata'),
  route: text('name', 'Counts this route'),
  period: text('word', 'day, week, month (default) or total'),
  timezone: text('name', 'Where days begin, as Europe/Berlin (default UTC)'),
  json,
} as const satisfies ArgsDef;

export const budgetUpdateArguments = { id: id('Budget id'), ...budgetSettings, json } as const satisfies ArgsDef;

export const priceListArguments = {
  provider: text('name', 'As price files name it: openai, bedrock, …'),
  model: text('name', 'A model or an alias of one'),
  at: text('time', 'Only what holds at this date or unix time'),
  json,
} as const satisfies ArgsDef;

export const priceSourceArguments = {
  file: { type: 'positional', description: 'A CSV price list; without it: genai-prices', required: false },
  provider: text('name', 'Only this provider'),
  json,
} as const satisfies ArgsDef;

export const adjustArguments = {
  reason: text('text', 'Why, as the new entries will say'),
  batch: text('id', 'Only this batch'),
  provider: text('name', 'Only this provider'),
  model: text('name', 'Only this model'),
  from: text('time', 'From this date or unix time on'),
  to: text('time', 'Before this date or unix time'),
  'prices-at': text('time', 'By the prices of this time, not of their own'),
  all: flag('Also entries that have an amount'),
  apply: flag('Do it; without this it is only shown'),
  json,
} as const satisfies ArgsDef;

export const reconcileArguments = {
  file: { type: 'positional', description: 'A billing export (CSV); without it: usage APIs', required: false },
  provider: text('names', 'Providers the bill is about, by commas'),
  from: text('day', 'First day, UTC (default: 30 days ago)'),
  to: text('day', 'The day after the last (default: today)'),
  map: text('b=l', "A model's name in the bill = in the ledger"),
  batches: flag('Provider batches token by token, and orphans'),
  json,
} as const satisfies ArgsDef;

export const repriceArguments = {
  id: id('Batch id'),
  provider: text('name', 'On this provider of the config'),
  model: text('name', 'On this model, as the provider names it'),
  mode: text('name', 'batch or standard'),
  'prices-at': text('time', 'By the prices of this date or unix time'),
  json,
} as const satisfies ArgsDef;

export const ledgerArguments = {
  'group-by': text('names', 'provider, model, target, day, … (≤ 4)'),
  batch: text('id', 'Only this batch'),
  provider: text('name', 'Only this provider'),
  model: text('name', 'Only this model'),
  tag: text('k:v', 'Only batches with this metadata'),
  from: text('time', 'From this date or unix time on'),
  to: text('time', 'Before this date or unix time'),
  entries: flag('Single entries in place of sums'),
  format: text('name', 'table (default), json, csv, jsonl, parquet'),
  out: text('file', 'Write csv, jsonl or parquet to a file'),
  json,
} as const satisfies ArgsDef;
