/**
 * Drizzle on Node, as `#drizzle`. Its ES modules import each other in circles, on which Node's loader spends 180 MB and a
 * quarter of a second; the same package as CommonJS costs 20 MB. Bundlers get bundled.ts (package.json, `imports`).
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export const {
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
} = require('drizzle-orm') as typeof import('drizzle-orm');

export const {
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
} = require('drizzle-orm/sqlite-core') as typeof import('drizzle-orm/sqlite-core');

export const { drizzle } = require('drizzle-orm/sqlite-proxy') as typeof import('drizzle-orm/sqlite-proxy');

export type { SQL } from 'drizzle-orm';
export type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
export type { SqliteRemoteDatabase } from 'drizzle-orm/sqlite-proxy';
