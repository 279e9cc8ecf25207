import { ApiError, notFound } from '../../core/api-error.ts';
import { totalOf } from '../../core/ledger-sums.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { LedgerFilter } from '../../ports/store-ledger.ts';
import { LEDGER_GROUPS, type LedgerGroup } from '../../protocol/ledger.ts';
import { type ExactFigures, toFigures } from './present.ts';

/** A row of a summary: the fields it was grouped by, then its figures. */
export type SummaryRow = Record<string, string | number | null> & ExactFigures;

export interface Summary {
  groups: readonly LedgerGroup[];
  data: SummaryRow[];
  total: ExactFigures;
}

export interface Grouping {
  groups: readonly LedgerGroup[];
  /** The metadata key to group by, where `tag` is among the groups. */
  tagKey: string | null;
}

const groupsMax = 4;

/** Sums of the entries that pass the filter, one row for each combination of the groups' values; one row without. */
export async function summarize(deps: Pick<Deps, 'store'>, filter: LedgerFilter, grouping: Grouping): Promise<Summary> {
  const rows = await deps.store.ledger.summary(filter, grouping.groups, grouping.tagKey);
  const total = toFigures(totalOf(rows));
  if (grouping.groups.length === 0) return { groups: [], data: [total as SummaryRow], total };
  const data = rows.map((row) => {
    const group = Object.fromEntries(grouping.groups.map((name) => [name, row.group[name] ?? null]));
    return { ...group, ...toFigures(row) } as SummaryRow;
  });
  return { groups: grouping.groups, data, total };
}

const BATCH_GROUPS: readonly LedgerGroup[] = ['target', 'model', 'status'];

/** The account of one batch by target, model and status. Throws 404 for a batch the actor may not see. */
export async function summarizeBatch(
  deps: Pick<Deps, 'store'>,
  context: Pick<Context, 'actor'>,
  batchId: string,
): Promise<Summary> {
  const filter = await batchFilter(deps, context, batchId);
  return summarize(deps, filter, { groups: BATCH_GROUPS, tagKey: null });
}

/** The filter for one batch's entries. Throws 404 for a batch the actor may not see. */
export async function batchFilter(
  deps: Pick<Deps, 'store'>,
  context: Pick<Context, 'actor'>,
  batchId: string,
): Promise<LedgerFilter> {
  const batch = await deps.store.batches.get(scopeOf(context.actor), batchId);
  if (batch === null) throw notFound('batch', batchId);
  return { tenantId: batch.tenantId, batchId: batch.id };
}

/** Reads `group_by`: names from LEDGER_GROUPS joined by commas, a tag as `tag:<metadata key>`. Throws 400. */
export function parseGroups(text: string | undefined): Grouping {
  const groups: LedgerGroup[] = [];
  let tagKey: string | null = null;
  for (const part of (text ?? '').split(',').map((name) => name.trim())) {
    if (part === '') continue;
    const at = part.indexOf(':');
    const name = at === -1 ? part : part.slice(0, at);
    const group = LEDGER_GROUPS.find((known) => known === name);
    if (group === undefined || groups.includes(group) || (at !== -1 && group !== 'tag')) throw wrongGroups();
    if (group === 'tag') {
      tagKey = at === -1 ? '' : part.slice(at + 1);
      if (tagKey === '') throw wrongGroups();
    }
    groups.push(group);
  }
  if (groups.length > groupsMax) throw wrongGroups();
  return { groups, tagKey };
}

function wrongGroups(): ApiError {
  const names = LEDGER_GROUPS.map((name) => (name === 'tag' ? 'tag:<metadata key>' : name)).join(', ');
  return new ApiError(
    400,
    `Invalid 'group_by': name up to ${groupsMax} different ones of ${names}, joined by commas.`,
    {
      code: 'invalid_value',
      param: 'group_by',
    },
  );
}
