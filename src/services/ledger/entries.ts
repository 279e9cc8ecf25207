import { notFound } from '../../core/api-error.ts';
import type { Deps } from '../../ports/deps.ts';
import type { LedgerFilter } from '../../ports/store-ledger.ts';
import type { ListQuery } from '../../ports/store-query.ts';
import type { LedgerEntryObject } from '../../protocol/ledger.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import { toLedgerEntry } from './present.ts';

/**
 * Rows read at once while exporting: what bounds the memory of an export of any length, and the time for which making
 * entries of them keeps everything else waiting.
 */
const exportPageRows = 200;

/** A page of entries. Throws 404 when `after` names no entry. */
export async function listEntries(
  deps: Pick<Deps, 'store'>,
  filter: LedgerFilter,
  query: ListQuery,
): Promise<Page<LedgerEntryObject>> {
  const rows = await deps.store.ledger.entries(filter, { ...query, limit: query.limit + 1 });
  if (rows === null) throw notFound('ledger entry', query.after ?? '');
  return toPage(rows.map(toLedgerEntry), query.limit);
}

/**
 * Every entry from `query.after` on, or `query.limit` of them, read page by page. The first page is read before this
 * resolves, so that a wrong cursor is still an answer of its own.
 */
export async function exportEntries(
  deps: Pick<Deps, 'store'>,
  filter: LedgerFilter,
  query: Omit<ListQuery, 'limit'> & { limit?: number | undefined },
): Promise<AsyncGenerator<LedgerEntryObject[], void>> {
  const limit = query.limit ?? Number.POSITIVE_INFINITY;
  const first = await listEntries(deps, filter, { ...query, limit: Math.min(limit, exportPageRows) });
  return followPages(deps, filter, query, first, limit);
}

async function* followPages(
  deps: Pick<Deps, 'store'>,
  filter: LedgerFilter,
  query: Omit<ListQuery, 'limit'>,
  first: Page<LedgerEntryObject>,
  limit: number,
): AsyncGenerator<LedgerEntryObject[], void> {
  let page = first;
  let left = limit - page.data.length;
  yield page.data;
  while (page.has_more && left > 0 && page.last_id !== null) {
    page = await listEntries(deps, filter, {
      limit: Math.min(left, exportPageRows),
      after: page.last_id,
      order: query.order,
    });
    left -= page.data.length;
    yield page.data;
  }
}
