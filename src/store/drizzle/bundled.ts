/** Drizzle for bundlers (Workers), as `#drizzle`: the same names as node.ts. */
export type { SQL } from 'drizzle-orm';
export {
  and,
  asc,
  count,
  desc,
  eq,
  getTableColumns,
  gt,
  gte,
  inArray,
  is,
  isNotNull,
  isNull,
  lt,
  lte,
  ne,
  or,
  sql,
} from 'drizzle-orm';
export type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
export {
  alias,
  check,
  customType,
  getTableConfig,
  index,
  integer,
  primaryKey,
  real,
  SQLiteTable,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';
export type { SqliteRemoteDatabase } from 'drizzle-orm/sqlite-proxy';
export { drizzle } from 'drizzle-orm/sqlite-proxy';
