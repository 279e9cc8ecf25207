import { getTableColumns, getTableConfig, type SQLiteTable } from '#drizzle';
import type { Argument, Statement } from './client.ts';

type AnyTable = InstanceType<typeof SQLiteTable>;

/**
 * Inserts into a table by drizzle's columns, those left out keeping the database's defaults; a row whose id is there is left
 * as it is. The text is made once: to build it for each row costs more than to run it.
 */
export function rowInsert<Table extends AnyTable>(
  table: Table,
  leftOut: readonly (keyof Table['$inferInsert'])[],
): (row: Table['$inferInsert']) => Statement {
  const columns = Object.entries(getTableColumns<AnyTable>(table)).filter(([key]) => !leftOut.includes(key));
  const names = columns.map(([, { name }]) => name);
  const sql = `insert into ${getTableConfig(table).name} (${names}) values (${names.map(() => '?')}) on conflict (id) do nothing`;
  return (row) => {
    const values = columns.map(([key, column]) => {
      const value = (row as Record<string, unknown>)[key] ?? null;
      return (value === null ? null : column.mapToDriverValue(value)) as Argument;
    });
    return { sql, args: values };
  };
}
