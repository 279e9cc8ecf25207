import { type SQL, sql } from '#drizzle';
import type { LedgerFilter } from '../ports/store-ledger.ts';
import type { Argument, Database } from './client.ts';
import { HOUR_SECONDS } from './ledger-rollup.ts';
import type { Source } from './ledger-source.ts';

/** A condition on ledger_entries or a rollup of them, with its arguments. */
export interface Where {
  sql: string;
  args: Argument[];
}

/** The filter as a condition on one of the rollups. */
export function rollupWhere({ table, time }: Source, filter: LedgerFilter): Where {
  const isOfBatches = table === 'ledger_batches';
  return join(
    timeTerms(filter, time),
    columnTerms(filter),
    isOfBatches ? batchTerms(filter) : [],
    isOfBatches ? tagTerms(filter) : [],
  );
}

/** Null when no entry can match. */
export async function entriesWhere(database: Database, filter: LedgerFilter): Promise<Where | null> {
  const places = await placeTerms(database, filter);
  if (places === null) return null;
  return join(
    places,
    timeTerms(filter, 'created_at'),
    columnTerms(filter),
    batchTerms(filter),
    lineTerms(filter),
    tagTerms(filter),
  );
}

type Term = readonly [sql: string, ...args: Argument[]];

function join(...groups: readonly (readonly Term[])[]): Where {
  const terms = groups.flat();
  return {
    sql: terms.length === 0 ? 'true' : terms.map(([sql]) => sql).join(' and '),
    args: terms.flatMap(([, ...args]) => args),
  };
}

function timeTerms(filter: LedgerFilter, column: Source['time']): Term[] {
  const terms: Term[] = [];
  if (filter.from !== undefined) terms.push([`${column} >= ?`, filter.from]);
  if (filter.to !== undefined) terms.push([`${column} < ?`, filter.to]);
  return terms;
}

function columnTerms(filter: LedgerFilter): Term[] {
  const terms: Term[] = [];
  // The plus keeps the tenant's index out of it where the batch's own is the narrower one.
  if (filter.tenantId !== null) {
    terms.push([filter.batchId === undefined ? 'tenant_id = ?' : '+tenant_id = ?', filter.tenantId]);
  }
  if (filter.provider !== undefined) terms.push(['provider = ?', filter.provider]);
  if (filter.model !== undefined) terms.push(['model = ?', filter.model]);
  if (filter.keyId !== undefined) terms.push(['key_id = ?', filter.keyId]);
  if (filter.status !== undefined) terms.push(['status = ?', filter.status]);
  return terms;
}

function batchTerms(filter: LedgerFilter): Term[] {
  return filter.batchId === undefined ? [] : [['batch_id = ?', filter.batchId]];
}

function lineTerms({ line }: LedgerFilter): Term[] {
  return line === undefined ? [] : [['line = ?', line]];
}

function tagTerms({ tag, tenantId }: LedgerFilter): Term[] {
  if (tag === undefined) return [];
  const ofTenant = tenantId === null ? '' : 'tag_sets.tenant_id = ? and ';
  return [
    [
      `tags_id in (select id from tag_sets where ${ofTenant}exists (
        select 1 from json_each(tag_sets.tags) pair where pair.key = ? and pair.value = ?))`,
      ...(tenantId === null ? [] : [tenantId]),
      tag.key,
      tag.value,
    ],
  ];
}

/**
 * Where in the order of arrival the entries of the filter's hours lie: the rollups know it, so that the entries need
 * no index by time.
 */
async function placeTerms(database: Database, filter: LedgerFilter): Promise<Term[] | null> {
  if (filter.from === undefined && filter.to === undefined) return [];
  const from = filter.from === undefined ? undefined : filter.from - (filter.from % HOUR_SECONDS);
  const hours = join(timeTerms({ ...filter, from }, 'hour'), [
    ...(filter.tenantId === null ? [] : [['tenant_id = ?', filter.tenantId] as const]),
  ]);
  const [bounds] = await database.read({
    sql: `select min(first_seq) as first, max(last_seq) as last from ledger_hourly where ${hours.sql}`,
    args: hours.args,
  });
  if (bounds === undefined || bounds.first === null) return null;
  return [['seq between ? and ?', Number(bounds.first), Number(bounds.last)]];
}

/** A raw condition as drizzle's. */
export function toSql(where: Where): SQL {
  const pieces = where.sql.split('?').flatMap((text, index) => {
    return index === 0 ? [sql.raw(text)] : [sql`${where.args[index - 1]}`, sql.raw(text)];
  });
  return sql.join(pieces);
}
