/** What an entry takes with its indices and rollups, as an engine writes it: in commits of many lines, from rows to the disk. */
import { createClient } from '@libsql/client';
import { DEFAULT_SETTINGS } from '../../src/ports/settings.ts';
import type { Store } from '../../src/ports/store.ts';
import type { LedgerEntryRow } from '../../src/ports/store-ledger.ts';
import { claim, emptyCommit, entryRow, segmentRow, startBatch } from '../contract/store/subject.ts';
import { median } from './table.ts';

/** Lines of a part. */
const GROUP = DEFAULT_SETTINGS.partLines;
const GROUPS = 80;
const BATCH = 'batch_of_entries';

/** Microseconds of an entry: the middle of many commits, one after the other. */
export async function microsecondsOfEntry(store: Store): Promise<number> {
  await startBatch(store, BATCH, [segmentRow(BATCH, 0, { lastLine: GROUP * GROUPS, lines: GROUP * GROUPS })]);
  const leases = await claim(store);
  const runs: number[] = [];
  for (let group = 0; group < GROUPS; group++) {
    const entries = Array.from({ length: GROUP }, (_, index) => entryOf(group * GROUP + index));
    const begun = performance.now();
    const { ok } = await store.segments.commit(emptyCommit(leases, { entries }));
    if (!ok) throw new Error('the segment was lost');
    runs.push(((performance.now() - begun) * 1_000) / GROUP);
  }
  return median(runs);
}

/**
 * The same of a bare statement for each group of rows with as many values, in a table of its own with the two indices that
 * every entry is in: what the database itself takes. `url`: that of a database.
 */
export async function microsecondsOfRow(url: string): Promise<number> {
  const client = createClient({ url, concurrency: 1 });
  const rows = Array.from({ length: GROUP }, (_, index) => Object.values(entryOf(index)));
  const names = rows[0]?.map((_, index) => `c${index}`) ?? [];
  await client.execute('pragma synchronous = full');
  await client.execute(`create table bare_rows (line integer, batch_id text, ${names})`);
  await client.execute('create unique index bare_rows_line on bare_rows (batch_id, line)');
  await client.execute('create index bare_rows_batch on bare_rows (batch_id)');
  const values = names.map((_, index) => `value ->> ${index}`);
  const sql = `insert into bare_rows select ?2 + key, ?3, ${values} from json_each(?1)`;
  const runs: number[] = [];
  for (let group = 0; group < GROUPS; group++) {
    const begun = performance.now();
    await client.execute({ sql, args: [JSON.stringify(rows), group * GROUP, BATCH] });
    runs.push(((performance.now() - begun) * 1_000) / GROUP);
  }
  await client.execute('drop table bare_rows');
  client.close();
  return median(runs);
}

/** Lines differ in their tokens, and so in what they cost. */
function entryOf(line: number): LedgerEntryRow {
  const [input, output] = [100 + (line % 997), 50 + ((line * 7) % 991)];
  const amountNano = input * 150 + output * 600;
  return entryRow({
    batchId: BATCH,
    customId: `request-${line}`,
    line: line + 1,
    usage: { input_tokens: input, output_tokens: output } as LedgerEntryRow['usage'],
    rawUsage: { prompt_tokens: input, completion_tokens: output },
    inputTokens: input,
    outputTokens: output,
    amountNano,
    listAmountNano: amountNano,
    latencyMs: 200 + (line % 89),
  });
}
