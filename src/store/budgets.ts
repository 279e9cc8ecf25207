import { eq } from '#drizzle';
import { LIVE_STATUSES } from '../core/batch-state.ts';
import type { PeriodBounds } from '../core/budget-period.ts';
import type { Spender } from '../core/budget-scope.ts';
import type {
  BudgetAlert,
  BudgetChange,
  BudgetRow,
  BudgetState,
  CallHoldAsk,
  StoreBudgets,
} from '../ports/store-budgets.ts';
import type { ListQuery } from '../ports/store-query.ts';
import type { WebhookEvent } from '../ports/store-webhooks.ts';
import { stopBatches, stopExhausted } from './batch-stop.ts';
import { takeAlerts } from './budget-alerts.ts';
import { coverLiveBatches, fitHolds, holdCalls, holdShard, restoreHolds } from './budget-holds.ts';
import { coversAsk } from './budget-left.ts';
import { insertPeriod } from './budget-periods.ts';
import { BUDGET_COLUMNS, selectStates, toBudgetRow, toBudgetState, toStoredBudget } from './budget-rows.ts';
import { type Database, statementOf } from './client.ts';
import { budgets } from './schema/budgets.ts';
import { literalList } from './text.ts';
import { outboxStatement } from './webhook-outbox.ts';

export class LibsqlBudgets implements StoreBudgets {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async insert(row: BudgetRow, period: PeriodBounds): Promise<void> {
    const add = this.#db.orm.insert(budgets).values(toStoredBudget(row)).onConflictDoNothing({ target: budgets.id });
    await insertPeriod(this.#db, row, period, { before: [statementOf(add)], after: [coverLiveBatches(row)] });
  }

  async get(id: string, now: number): Promise<BudgetState | null> {
    const [row] = await this.#db.read(selectStates(now, 'b.id = ?2', [id]));
    return row === undefined ? null : toBudgetState(row);
  }

  async list({ after, order, limit }: ListQuery, now: number): Promise<BudgetState[] | null> {
    const [cursor] = await this.#db.read({ sql: 'select seq from budgets where id = ?', args: [after ?? ''] });
    if (after !== undefined && cursor === undefined) return null;
    const [sign, direction] = order === 'asc' ? ['>', 'asc'] : ['<', 'desc'];
    const where = `(?2 is null or b.seq ${sign} ?2) order by b.seq ${direction} limit ?3`;
    const rows = await this.#db.read(
      selectStates(now, where, [cursor === undefined ? null : Number(cursor.seq), limit]),
    );
    return rows.map(toBudgetState);
  }

  async any(): Promise<boolean> {
    const [row] = await this.#db.read({
      sql: 'select exists (select 1 from budgets) or exists (select 1 from budget_holds) as any_at_all',
      args: [],
    });
    return Number(row?.any_at_all) === 1;
  }

  async all(): Promise<BudgetRow[]> {
    const rows = await this.#db.read({ sql: `select ${BUDGET_COLUMNS} from budgets b order by b.seq`, args: [] });
    return rows.map(toBudgetRow);
  }

  async covering({ tenantId, keyId, routes, tags }: Spender, now: number): Promise<BudgetState[]> {
    const args = [tenantId, keyId, JSON.stringify(routes), JSON.stringify(tags ?? {})];
    const rows = await this.#db.read(selectStates(now, `${coversAsk(2)} order by b.seq`, args));
    return rows.map(toBudgetState);
  }

  async update(id: string, change: BudgetChange, now: number): Promise<boolean> {
    const set = this.#db.orm
      .update(budgets)
      .set({ ...change, updatedAt: now })
      .where(eq(budgets.id, id))
      .returning({ id: budgets.id });
    const fit = change.limitNano === undefined ? [] : [fitHolds(id, now), restoreHolds(now)];
    const [changed] = await this.#db.write([statementOf(set), ...fit]);
    return (changed?.rows.length ?? 0) > 0;
  }

  async delete(id: string): Promise<boolean> {
    const [deleted] = await this.#db.write(
      ['budgets where id', ...['periods', 'holds', 'alerts'].map((what) => `budget_${what} where budget_id`)].map(
        (of) => ({ sql: `delete from ${of} = ?`, args: [id] }),
      ),
    );
    return (deleted?.rowsAffected ?? 0) > 0;
  }

  async endingBefore(until: number): Promise<(BudgetRow & { knownUntil: number })[]> {
    const rows = await this.#db.read({
      sql: `select * from (
              select ${BUDGET_COLUMNS}, coalesce((
                select p.ends_at from budget_periods p where p.budget_id = b.id order by p.starts_at desc limit 1), 0) as known_until
              from budgets b)
            where known_until < ?`,
      args: [until],
    });
    return rows.map((row) => ({ ...toBudgetRow(row), knownUntil: Number(row.known_until) }));
  }

  addPeriod(row: BudgetRow, period: PeriodBounds): Promise<void> {
    return insertPeriod(this.#db, row, period);
  }

  holdCalls(asks: readonly CallHoldAsk[], now: number): Promise<boolean[]> {
    return holdCalls(this.#db, asks, now);
  }

  holdShard(...[shard, now]: Parameters<StoreBudgets['holdShard']>): ReturnType<StoreBudgets['holdShard']> {
    return holdShard(this.#db, shard, now);
  }

  stopExhausted(now: number, limit: number): Promise<string[]> {
    return stopExhausted(this.#db, now, limit);
  }

  async stopBatch(batchId: string, now: number): Promise<void> {
    await this.#db.write([stopBatches(now, 'id = ?2', [batchId])]);
  }

  async reclaim(now: number, { calls }: { calls: boolean } = { calls: false }): Promise<number> {
    const [ended] = await this.#db.write([
      {
        sql: `delete from budget_holds where case kind
                when 'call' then ?1 or expires_at <= ?2
                else holder not in (select id from batches where status in (${literalList(LIVE_STATUSES)})) end`,
        args: [calls, now],
      },
      restoreHolds(now),
    ]);
    return ended?.rowsAffected ?? 0;
  }

  takeAlerts(now: number, limit: number): Promise<BudgetAlert[]> {
    return takeAlerts(this.#db, now, limit);
  }

  async tellAlert(id: string, events: readonly WebhookEvent[], now: number): Promise<void> {
    await this.#db.write([
      ...events.map(outboxStatement),
      { sql: 'update budget_alerts set told_at = ? where told_at is null and id = ?', args: [now, id] },
    ]);
  }
}
