import { UNFIT_CODES, type Unfit } from '../core/healing.ts';
import type { LedgerEntryRow, LineTotal, StoredLedgerEntry, StoreLedger } from '../ports/store-ledger.ts';
import { deleteHolds } from './budget-holds.ts';
import type { Database, Statement } from './client.ts';
import { adjustEntries, listAdjustable } from './ledger-adjust.ts';
import { advanceBatches } from './ledger-batch-sums.ts';
import { latestOutputTokens, listEntries } from './ledger-query.ts';
import { listDoubts, resolveEntries } from './ledger-resolve.ts';
import { LINE_AMOUNT } from './ledger-source.ts';
import { summarize } from './ledger-summary.ts';
import { writeEntries } from './ledger-write.ts';
import { withoutLedgered } from './shard-entries.ts';
import { literalList } from './text.ts';

export class LibsqlLedger implements StoreLedger {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async append(entries: readonly LedgerEntryRow[]): Promise<void> {
    if (entries.length === 0) return;
    await withoutLedgered(this.#db, entries, async (fresh) => {
      if (fresh.length === 0) return;
      await this.#db.write([...(await writeEntries(fresh, 'renumber')), ...advanceBatches(fresh)]);
    });
  }

  async appendCalls(
    entries: readonly LedgerEntryRow[],
    journal: { id: string; position: number } | null,
    released: readonly string[] = [],
  ): Promise<void> {
    const [first] = entries;
    if (first === undefined && released.length === 0) return;
    const statements = [...(await writeEntries(entries, 'calls')), ...deleteHolds(released)];
    // A write whose answer was lost is asked for again: where its mark or its first entry stands, all of it does.
    const isNew: Statement =
      journal === null
        ? { sql: 'not exists (select 1 from ledger_entries where id = ?)', args: [first?.id ?? null] }
        : {
            sql: 'not exists (select 1 from journals where id = ? and position >= ?)',
            args: [journal.id, journal.position],
          };
    await this.#db.writeIf(isNew, journal === null ? statements : [...statements, markOf(journal)]);
  }

  async journalPosition(id: string): Promise<number> {
    const [row] = await this.#db.read({ sql: 'select position from journals where id = ?', args: [id] });
    return Number(row?.position ?? 0);
  }

  async forgetJournal(id: string): Promise<void> {
    await this.#db.write([{ sql: 'delete from journals where id = ?', args: [id] }]);
  }

  spent(batchId: string, firstLine: number, lastLine: number): Promise<Map<number, LineTotal>> {
    return this.#totals(batchId, firstLine, lastLine, 'true');
  }

  async unfit(batchId: string, firstLine: number, lastLine: number): Promise<Map<number, Unfit[]>> {
    const rows = await this.#db.read({
      sql: `select line, error_code, target from ledger_entries
            where batch_id = ? and line between ? and ? and error_code in (${literalList(UNFIT_CODES)}) and final = 0
            order by line, attempt`,
      args: [batchId, firstLine, lastLine],
    });
    const found = new Map<number, Unfit[]>();
    for (const row of rows) {
      const line = found.get(Number(row.line)) ?? [];
      line.push({ code: String(row.error_code), target: String(row.target) });
      found.set(Number(row.line), line);
    }
    return found;
  }

  lineTotals(batchId: string, firstLine: number, lastLine: number): Promise<Map<number, LineTotal>> {
    return this.#totals(batchId, firstLine, lastLine, 'count(*) > 1 or max(final) = 0');
  }

  decided(batchId: string, firstLine: number, lastLine: number, by?: number): Promise<Map<number, LineTotal>> {
    const until = by === undefined ? '' : ' and min(iif(final, created_at, null)) <= ?';
    return this.#totals(batchId, firstLine, lastLine, `max(final) = 1${until}`, by === undefined ? [] : [by]);
  }

  async customIds(batchId: string, firstLine: number, lastLine: number): Promise<Map<number, string>> {
    const rows = await this.#db.read({
      sql: `select line, min(custom_id) as custom_id from ledger_entries
            where batch_id = ? and line between ? and ? and custom_id is not null group by line`,
      args: [batchId, firstLine, lastLine],
    });
    return new Map(rows.map((row) => [Number(row.line), JSON.parse(String(row.custom_id)) as string]));
  }

  async #totals(
    batchId: string,
    firstLine: number,
    lastLine: number,
    having: string,
    args: readonly number[] = [],
  ): Promise<Map<number, LineTotal>> {
    const rows = await this.#db.read({
      sql: `select line, max(attempt) as attempts, ${LINE_AMOUNT} as amount
            from ledger_entries
            where batch_id = ? and line between ? and ? group by line
            having ${having}`,
      args: [batchId, firstLine, lastLine, ...args],
    });
    return new Map<number, LineTotal>(
      rows.map((row) => [
        Number(row.line),
        { attempts: Number(row.attempts), amountNano: row.amount === null ? null : Number(row.amount) },
      ]),
    );
  }

  entries(
    filter: Parameters<StoreLedger['entries']>[0],
    page: Parameters<StoreLedger['entries']>[1],
  ): Promise<StoredLedgerEntry[] | null> {
    return listEntries(this.#db, filter, page);
  }

  latestOutputTokens(...[filter, limit]: Parameters<StoreLedger['latestOutputTokens']>): Promise<number[]> {
    return latestOutputTokens(this.#db, filter, limit);
  }

  adjustable(...[filter, page]: Parameters<StoreLedger['adjustable']>): ReturnType<StoreLedger['adjustable']> {
    return listAdjustable(this.#db, filter, page);
  }

  adjust(...[corrections, how]: Parameters<StoreLedger['adjust']>): Promise<boolean> {
    return adjustEntries(this.#db, corrections, how);
  }

  doubts(shardId: string): ReturnType<StoreLedger['doubts']> {
    return listDoubts(this.#db, shardId);
  }

  resolve(...[resolutions, how]: Parameters<StoreLedger['resolve']>): Promise<boolean> {
    return resolveEntries(this.#db, resolutions, how);
  }

  summary(...[filter, groups, tagKey]: Parameters<StoreLedger['summary']>): ReturnType<StoreLedger['summary']> {
    return summarize(this.#db, filter, groups, tagKey);
  }
}

function markOf({ id, position }: { id: string; position: number }): Statement {
  return {
    sql: `insert into journals (id, position) values (?, ?) on conflict (id) do update set position = excluded.position`,
    args: [id, position],
  };
}
