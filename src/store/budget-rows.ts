import { getTableColumns } from '#drizzle';
import type { BudgetRow, BudgetState } from '../ports/store-budgets.ts';
import { heldOf } from './budget-left.ts';
import type { Row, Statement } from './client.ts';
import { budgets } from './schema/budgets.ts';

const { seq: _seq, ...columns } = getTableColumns(budgets);

/** What is read of budget `b`. */
export const BUDGET_COLUMNS = Object.values(columns)
  .map(({ name }) => `b.${name}`)
  .join(', ');

/** Sums of money come as text, as the client refuses integers beyond 2^53. */
const STATE_COLUMNS = `${BUDGET_COLUMNS}, p.starts_at, p.ends_at, cast(p.spent_nano as text) as spent,
  (select cast(coalesce(sum(${heldOf('h')}), 0) as text)
    from budget_holds h where h.budget_id = b.id) as held,
  (select json_group_array(json_array(a.threshold, a.created_at)) from budget_alerts a
    where a.budget_id = b.id and a.starts_at = p.starts_at) as alerts`;

/** Budgets `b` with their present period at `now`, of those that `where` admits, which may say `?2` and later. */
export function selectStates(now: number, where: string, args: Statement['args']): Statement {
  return {
    sql: `select ${STATE_COLUMNS} from budgets b
          join budget_periods p on p.budget_id = b.id and p.starts_at <= ?1 and p.ends_at > ?1
          where ${where}`,
    args: [now, ...args],
  };
}

export function toBudgetRow(row: Row): BudgetRow {
  const text = (name: string): string | null => (row[name] === null ? null : String(row[name]));
  const tagKey = text('tag_key');
  return {
    id: String(row.id),
    name: String(row.name),
    ownerTenantId: String(row.owner_tenant_id),
    tenantId: text('tenant_id') || null,
    keyId: text('key_id') || null,
    tag: tagKey === null ? null : { key: tagKey, value: String(row.tag_value) },
    route: text('route'),
    limitNano: Number(row.limit_nano),
    period: row.period as BudgetRow['period'],
    timeZone: String(row.time_zone),
    since: Number(row.since),
    onInsufficient: row.on_insufficient as BudgetRow['onInsufficient'],
    unpriced: row.unpriced as BudgetRow['unpriced'],
    thresholds: JSON.parse(String(row.thresholds)) as number[],
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
  };
}

export function toBudgetState(row: Row): BudgetState {
  const alerts = JSON.parse(String(row.alerts)) as [number, number][];
  return {
    ...toBudgetRow(row),
    usage: {
      startsAt: Number(row.starts_at),
      endsAt: Number(row.ends_at),
      spentNano: BigInt(String(row.spent)),
      heldNano: BigInt(String(row.held)),
      alerts: alerts.sort(([left], [right]) => left - right).map(([threshold, at]) => ({ threshold, at })),
    },
  };
}

/** The columns that a budget stores. */
export function toStoredBudget({ tag, ...row }: BudgetRow): Omit<typeof budgets.$inferInsert, 'seq'> {
  return {
    ...row,
    tenantId: row.tenantId ?? '',
    keyId: row.keyId ?? '',
    tagKey: tag?.key ?? null,
    tagValue: tag?.value ?? null,
  };
}
