/** What the ledger's writes mean for budgets. */
import type { Statement } from './client.ts';
import type { TaggedEntry } from './tagged-entry.ts';
import { BULK_ROWS, bulkRows } from './text.ts';

/** Whether budget `b` covers an entry: its tenant, key, route and set of tags as SQL expressions. */
function coversEntry(tenant: string, key: string, route: string, tagsId: string): string {
  return `b.key_id in ('', coalesce(${key}, '')) and b.tenant_id in ('', ${tenant})
    and (b.route is null or b.route = ${route})
    and (b.tag_key is null or exists (
      select 1 from tag_sets t cross join json_each(t.tags) pair
      where t.id = ${tagsId} and pair.key = b.tag_key and pair.value = b.tag_value))`;
}

const COVERS_ROW = coversEntry('v ->> 0', 'v ->> 1', 'v ->> 2', 'v ->> 3');
const COVERS_STORED = coversEntry('e.tenant_id', 'e.key_id', 'e.route', 'e.tags_id');

const SPEND = `
  with ${BULK_ROWS},
  due as (
    select p.rowid as place, sum(cast(v ->> 5 as integer)) as amount
    from r cross join budgets b cross join budget_periods p
    where ${COVERS_ROW} and p.budget_id = b.id and p.starts_at <= v ->> 4 and p.ends_at > v ->> 4
    group by p.rowid
  )
  update budget_periods set spent_nano = spent_nano + due.amount from due where budget_periods.rowid = due.place`;

const USE = `
  with ${BULK_ROWS},
  due as (
    select h.rowid as place, sum(cast(v ->> 5 as integer)) as amount
    from r cross join budget_holds h cross join budgets b
    where h.holder = v ->> 6 and b.id = h.budget_id and ${COVERS_ROW}
    group by h.rowid
  )
  update budget_holds set used_nano = used_nano + due.amount from due where budget_holds.rowid = due.place`;

/** Adds entries to what is spent of the budgets that cover them. Runs in the write that adds them, after their tags. */
export function spend(rows: readonly TaggedEntry[]): Statement[] {
  const sums = new Map<string, bigint>();
  let lastKey = '';
  let last: TaggedEntry | undefined;
  for (const row of rows) {
    const { entry, sign = 1 } = row;
    if (entry.amountNano === null || entry.amountNano === 0) continue;
    if (last === undefined || !isAlike(last, row)) {
      const { tenantId, keyId, route = null, createdAt, batchId } = entry;
      lastKey = JSON.stringify([tenantId, keyId, route, row.tagsId, createdAt, batchId]);
      last = row;
    }
    sums.set(lastKey, (sums.get(lastKey) ?? 0n) + BigInt(sign) * BigInt(entry.amountNano));
  }
  if (sums.size === 0) return [];
  const cells = [...sums].map(([key, amount]) => {
    const [tenantId, keyId, route, tagsId, createdAt, batchId] = JSON.parse(key) as (string | number | null)[];
    return [
      tenantId ?? null,
      keyId ?? null,
      route ?? null,
      tagsId ?? null,
      createdAt ?? 0,
      String(amount),
      batchId ?? null,
    ];
  });
  const args = [bulkRows(cells)];
  return [
    { sql: SPEND, args },
    { sql: USE, args },
  ];
}

function isAlike(left: TaggedEntry, right: TaggedEntry): boolean {
  return (
    left.entry.createdAt === right.entry.createdAt &&
    left.entry.batchId === right.entry.batchId &&
    left.entry.tenantId === right.entry.tenantId &&
    left.entry.keyId === right.entry.keyId &&
    (left.entry.route ?? null) === (right.entry.route ?? null) &&
    left.tagsId === right.tagsId
  );
}

/** SQL of what the ledger has between `starts` and `ends` that budget `b` covers, of the entries that `places` admits. */
export function ledgeredSum(starts: string, ends: string, places: string): string {
  return `coalesce((
    select sum(e.amount_nano) from ledger_entries e
    where ${places} and e.created_at >= ${starts} and e.created_at < ${ends} and ${COVERS_STORED}), 0)`;
}
