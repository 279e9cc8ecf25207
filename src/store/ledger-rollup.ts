import type { LedgerEntryRow, LedgerSums } from '../ports/store-ledger.ts';
import type { Statement } from './client.ts';
import { BULK_ROWS, bulkRows } from './text.ts';

export const HOUR_SECONDS = 3_600;

/** The sums that ledger_hourly keeps, by column. */
export const SUM_COLUMNS: readonly (readonly [name: string, sum: keyof LedgerSums])[] = [
  ['entries', 'entries'],
  ['requests', 'requests'],
  ['input_tokens', 'inputTokens'],
  ['cached_input_tokens', 'cachedInputTokens'],
  ['output_tokens', 'outputTokens'],
  ['amount_nano', 'amountNano'],
  ['list_amount_nano', 'listAmountNano'],
  ['unpriced_entries', 'unpricedEntries'],
];

const KEY_NAMES = ['tenant_id', 'hour', 'key_id', 'provider', 'target', 'model', 'mode', 'status'];
const SUM_NAMES = SUM_COLUMNS.map(([name]) => name);

const UPSERT = `
  insert into ledger_hourly (${[...KEY_NAMES, ...SUM_NAMES]}, first_seq, last_seq)
  with ${BULK_ROWS}, last as materialized (select max(seq) as seq from ledger_entries)
  select ${[...KEY_NAMES, ...SUM_NAMES].map((name, index) => (SUM_NAMES.includes(name) ? `cast(v ->> ${index} as integer)` : `v ->> ${index}`))},
    last.seq - ? + 1, last.seq
  from r cross join last where true
  on conflict (${KEY_NAMES}) do update set
    ${SUM_NAMES.map((name) => `${name} = ${name} + excluded.${name}`)},
    first_seq = min(first_seq, excluded.first_seq), last_seq = max(last_seq, excluded.last_seq)`;

/** Adds the sums of entries to their hours. Runs right after the entries' insert, in the same write: it reads their places. */
export function writeRollups(entries: readonly LedgerEntryRow[]): Statement {
  const groups = Map.groupBy(entries, (entry) => JSON.stringify(rollupKey(entry)));
  const rows = [...groups.values()].map((group) => {
    const sums = sumEntries(group);
    const [first] = group;
    return [...(first === undefined ? [] : rollupKey(first)), ...SUM_COLUMNS.map(([, sum]) => String(sums[sum]))];
  });
  return { sql: UPSERT, args: [bulkRows(rows), entries.length] };
}

function rollupKey(entry: LedgerEntryRow): (string | number)[] {
  const hour = entry.createdAt - (entry.createdAt % HOUR_SECONDS);
  const { tenantId, keyId, provider, target, model, mode, status } = entry;
  return [tenantId, hour, keyId ?? '', provider, target, model, mode, status];
}

/** An entry without an amount adds nothing to the sums of money; it is counted as unpriced. */
export function sumEntries(entries: readonly LedgerEntryRow[]): LedgerSums {
  const sums = emptySums();
  for (const entry of entries) {
    sums.entries += 1;
    sums.requests += entry.final ? 1 : 0;
    sums.inputTokens += entry.inputTokens;
    sums.cachedInputTokens += entry.cachedInputTokens;
    sums.outputTokens += entry.outputTokens;
    sums.amountNano += BigInt(entry.amountNano ?? 0);
    sums.listAmountNano += BigInt(entry.listAmountNano ?? 0);
    sums.unpricedEntries += entry.amountNano === null ? 1 : 0;
  }
  return sums;
}

export function emptySums(): LedgerSums {
  return {
    entries: 0,
    requests: 0,
    inputTokens: 0,
    cachedInputTokens: 0,
    outputTokens: 0,
    amountNano: 0n,
    listAmountNano: 0n,
    unpricedEntries: 0,
  };
}
