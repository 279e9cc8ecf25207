/**
 * A month of traffic in a database: batches of five providers whose prices change in between. The amounts are worked out
 * in SQL, apart from the product's own arithmetic, which must come to the same sums.
 */
import { createClient } from '@libsql/client';
import { compilePrices, findRates } from '../../src/core/price-book.ts';
import { priceUsage } from '../../src/core/pricing.ts';
import { totalInput, type Usage } from '../../src/core/usage.ts';

export const MONTH_START = Date.parse('2026-10-01T00:00:00Z') / 1000;
export const DAY = 86_400;
export const BATCH_LINES = 20_000;
const MONTH_DAYS = 30;
/** Days on which every price changes. */
const CHANGES = [1, 11, 21];
export const MONTH_PROVIDERS = ['openai', 'azure', 'bedrock', 'vertex', 'anthropic'];
/** Tokens of a line repeat after so many lines. */
const PATTERN = 997;

interface Price {
  provider: string;
  from: number;
  input: number;
  output: number;
}

/** Nano-USD per million tokens; odd ones, so that most lines need rounding. */
const PRICES: readonly Price[] = MONTH_PROVIDERS.flatMap((provider, index) =>
  CHANGES.map((day, change) => ({
    provider,
    from: MONTH_START + (day - 1) * DAY,
    input: 150_000_001 + index * 37_000_003 - change * 7_000_001,
    output: 600_000_007 + index * 91_000_009 - change * 13_000_003,
  })),
);

const usd = (nano: number) => `${Math.floor(nano / 1e9)}.${String(nano % 1e9).padStart(9, '0')}`;

const book = compilePrices(
  MONTH_PROVIDERS.map((provider) => ({
    provider,
    version: 'month',
    currency: 'USD',
    source: 'bench',
    verified_on: '2026-10-01',
    models: {
      mini: {
        prices: PRICES.filter((price) => price.provider === provider).map(({ from, input, output }) => ({
          from: new Date(from * 1000).toISOString().slice(0, 10),
          standard: { input: usd(input), output: usd(output) },
        })),
      },
    },
  })),
);

const inputOf = (line: number) => 100 + ((line * 7_919) % PATTERN);
const outputOf = (line: number) => 50 + ((line * 104_729) % PATTERN);

export interface Month {
  entries: number;
  batches: number;
  /** Nano-USD by provider, by the product's own arithmetic. */
  amounts: ReadonlyMap<string, bigint>;
  /** What each provider bills by day: tokens times price, rounded nowhere. */
  bills: ReadonlyMap<string, ReadonlyMap<string, BilledDay>>;
}

export interface BilledDay {
  inputTokens: number;
  outputTokens: number;
  /** 10^-15 USD, of which nothing is lost: nano-USD times tokens of a million. */
  femtoUsd: bigint;
}

const HALF_EVEN = (n: string) =>
  `(${n}) / 1000000 + iif((${n}) % 1000000 * 2 > 1000000 or ((${n}) % 1000000 = 500000 and (${n}) / 1000000 % 2 = 1), 1, 0)`;

const INSERT = `
  insert into ledger_entries (created_at, tenant_id, key_id, batch_id, custom_id, line, attempt, mode, provider, target, model,
    served_model, status, final, status_code, usage, raw_usage, input_tokens, cached_input_tokens, output_tokens, price_version,
    amount_nano, list_amount_nano, estimated, tags_id, latency_ms)
  with recursive lines(line) as (select 1 union all select line + 1 from lines where line < ${BATCH_LINES}),
  used as (
    select line, ?1 + line * 3600 / ${BATCH_LINES + 1} as at,
      100 + line * 7919 % ${PATTERN} as input, 50 + line * 104729 % ${PATTERN} as output from lines
  ),
  priced as materialized (
    select used.*, ${HALF_EVEN('input * ?4')} + ${HALF_EVEN('output * ?5')} as amount from used
  )
  select at, 'default', ?2, ?3, '"request-' || line || '"', line, 1, 'immediate', ?6, ?6 || '/mini', 'mini', 'mini-2026',
    iif(line % 200 = 0, 'failed', 'succeeded'), 1, 200, '{"input_tokens":' || input || ',"output_tokens":' || output || '}',
    '{"prompt_tokens":' || input || ',"completion_tokens":' || output || '}', input, 0, output, 'month', amount, amount * 2, 0, ?7,
    200 from priced`;

const SUMS = ['entries', 'requests', 'input_tokens', 'cached_input_tokens', 'output_tokens', 'amount_nano'];
const ALL_SUMS = [...SUMS, 'list_amount_nano', 'unpriced_entries', 'savings_nano', 'gpu_microseconds'];

/** Batch by batch: its sums by hour first, from which the rollups follow. */
const ROLLUPS = [
  'delete from temp.fresh',
  `insert into temp.fresh select created_at - created_at % 3600, coalesce(tags_id, ''), key_id, provider, target, status, count(*),
    sum(final), sum(input_tokens), sum(cached_input_tokens), sum(output_tokens), sum(amount_nano), sum(list_amount_nano), 0,
    sum(list_amount_nano - amount_nano), 0, min(seq), max(seq)
    from ledger_entries where seq > ? group by 1, 2, 3, 4, 5, 6`,
  rollup('ledger_hourly', ['tenant_id', 'hour'], `'default', hour`, [', first_seq, last_seq', ', first_seq, last_seq']),
  rollup('ledger_daily', ['tenant_id', 'day'], `'default', hour - hour % 86400`, ['', '']),
  rollup('ledger_batches', ['batch_id', 'tenant_id', 'tags_id', 'hour'], `?, 'default', tags_id, hour`, ['', '']),
];

function rollup(table: string, keys: string[], values: string, [columns, more]: [string, string]): string {
  const all = [...keys, 'key_id', 'provider', 'target', 'model', 'mode', 'status'];
  return `insert into ${table} (${all}, ${ALL_SUMS}${columns})
    select ${values}, key_id, provider, target, 'mini', 'immediate', status, ${ALL_SUMS}${more} from temp.fresh where true
    on conflict (${all}) do update set ${ALL_SUMS.map((name) => `${name} = ${name} + excluded.${name}`)}
    ${columns === '' ? '' : ', first_seq = min(first_seq, excluded.first_seq), last_seq = max(last_seq, excluded.last_seq)'}`;
}

/** Writes the month into a migrated, empty database, and says what it must come to. */
export async function writeMonth(url: string, batches: number): Promise<Month> {
  const client = createClient({ url, concurrency: 1 });
  const indices = await client.execute(
    `select name, sql from sqlite_master where type = 'index' and tbl_name = 'ledger_entries'`,
  );
  await client.execute('pragma synchronous = off');
  await client.execute(
    `create temp table fresh (hour, tags_id, key_id, provider, target, status, ${ALL_SUMS}, first_seq, last_seq)`,
  );
  for (const { name } of indices.rows) await client.execute(`drop index ${String(name)}`);
  const teams = ['search', 'ads', 'maps'];
  for (const team of teams) {
    await client.execute({
      sql: 'insert into tag_sets (id, tenant_id, tags) values (?, ?, ?)',
      args: [`tags-${team}`, 'default', JSON.stringify({ team })],
    });
  }
  const amounts = new Map<string, bigint>();
  const bills = new Map<string, Map<string, BilledDay>>();
  for (let index = 0; index < batches; index++) {
    const provider = MONTH_PROVIDERS[index % MONTH_PROVIDERS.length] ?? '';
    const at = MONTH_START + Math.floor((index * MONTH_DAYS * DAY) / batches);
    // No batch runs over the hour at which a price changes: its price is that of its start.
    const start = at - (at % 3_600);
    const price = PRICES.filter((each) => each.provider === provider && each.from <= start).at(-1);
    const id = `batch_${String(index).padStart(6, '0')}`;
    const args = [
      start,
      `key_${index % 7}`,
      id,
      price?.input ?? 0,
      price?.output ?? 0,
      provider,
      `tags-${teams[index % 3]}`,
    ];
    await client.execute({ sql: INSERT, args: args.map((each) => (typeof each === 'number' ? BigInt(each) : each)) });
    await addRollups(client, id, index * BATCH_LINES);
    await client.execute({ sql: BATCH, args: [id, start, start, start + DAY, BATCH_LINES, BATCH_LINES] });
    amounts.set(provider, (amounts.get(provider) ?? 0n) + amountOfBatch(provider, start));
    addToBill(bills, provider, start, price);
  }
  for (const { sql } of indices.rows) await client.execute(String(sql));
  await client.execute('pragma wal_checkpoint(truncate)');
  client.close();
  return { entries: batches * BATCH_LINES, batches, amounts, bills };
}

const BATCH = `insert into batches (id, tenant_id, endpoint, completion_window, input_file_id, status, created_at, in_progress_at,
    expires_at, total, completed, failed, input_tokens, cached_tokens, output_tokens, reasoning_tokens, total_tokens, amount_nano,
    list_amount_nano, entries, unpriced_entries, lanes, open_segments, next_at)
  values (?, 'default', '/v1/chat/completions', 'immediate', 'file-month', 'completed', ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    '[]', 0, 0)`;

async function addRollups(client: ReturnType<typeof createClient>, id: string, before: number): Promise<void> {
  const [clear = '', fill = '', hourly = '', daily = '', ofBatch = ''] = ROLLUPS;
  await client.execute(clear);
  await client.execute({ sql: fill, args: [before] });
  await client.execute(hourly);
  await client.execute(daily);
  await client.execute({ sql: ofBatch, args: [id] });
}

const BATCH_TOKENS = Array.from({ length: BATCH_LINES }, (_, index) => index + 1).reduce(
  (sum, line) => ({ input: sum.input + inputOf(line), output: sum.output + outputOf(line) }),
  { input: 0, output: 0 },
);

function addToBill(
  bills: Map<string, Map<string, BilledDay>>,
  provider: string,
  at: number,
  price: Price | undefined,
): void {
  const days = bills.get(provider) ?? new Map<string, BilledDay>();
  bills.set(provider, days);
  const day = new Date(at * 1000).toISOString().slice(0, 10);
  const billed = days.get(day) ?? { inputTokens: 0, outputTokens: 0, femtoUsd: 0n };
  days.set(day, billed);
  const { input, output } = BATCH_TOKENS;
  billed.inputTokens += input;
  billed.outputTokens += output;
  billed.femtoUsd += BigInt(input) * BigInt(price?.input ?? 0) + BigInt(output) * BigInt(price?.output ?? 0);
}

/** The product's own price of a batch's lines that start at `at`, line by line; the pattern of tokens repeats. */
function amountOfBatch(provider: string, at: number): bigint {
  let amount = 0n;
  for (let line = 1; line <= PATTERN; line++) {
    const usage: Usage = { input_tokens: inputOf(line), output_tokens: outputOf(line) };
    const found = findRates(book, { provider, model: 'mini', mode: 'standard', at, inputTokens: totalInput(usage) });
    if ('unpriced' in found) throw new Error(found.unpriced);
    const repeats = Math.floor((BATCH_LINES - line) / PATTERN) + 1;
    amount += BigInt(priceUsage({ usage, ...found }).amount_nano ?? 0) * BigInt(repeats);
  }
  return amount;
}
