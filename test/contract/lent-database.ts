/** Databases that tests use one after another: opening and migrating one anew costs each test more than what it tests. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getTableConfig } from '#drizzle';
import type { Store } from '../../src/ports/store.ts';
import { Database } from '../../src/store/client.ts';
import { openClient } from '../../src/store/open-node.ts';
import type { SqlClient } from '../../src/store/sql-client.ts';
import { openStoreOn } from '../../src/store/store.ts';
import { TABLES } from './store/tables.ts';

/** What a new database holds: that it was migrated, and its word. */
const KEPT = new Set(['weir_migrations', 'installation']);
const EMPTYING = [
  ...TABLES.map((table) => getTableConfig(table).name).filter((name) => !KEPT.has(name)),
  // Row numbers begin at one again.
  'sqlite_sequence',
].map((table) => ({ sql: `delete from ${table}`, args: [] }));

interface Owned {
  client: SqlClient;
  url: string;
}

/** An embedded database, empty as a new one, of the borrower's own until it is given back. */
export interface LentDatabase {
  url: string;
  /** A store on it that, like one with connections of its own, can be closed. */
  openStore(): Promise<Store>;
  giveBack(): void;
}

/** Those of this process that nobody uses now; their connections end with the process. */
const free: Owned[] = [];

export async function lendDatabase(): Promise<LentDatabase> {
  const owned = free.pop() ?? (await openOwned());
  await emptyTables(owned.client);
  return {
    url: owned.url,
    openStore: () => openStoreOn(new Database(closable(owned.client))),
    giveBack: () => void free.push(owned),
  };
}

/** Leaves a migrated database as if it had just been made. */
export async function emptyTables(client: SqlClient): Promise<void> {
  const [outcome] = await client.write([EMPTYING]);
  if (outcome instanceof Error) throw outcome;
}

async function openOwned(): Promise<Owned> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-lent-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const url = `file:${join(directory, 'weir.db')}`;
  const client = await openClient({ url });
  await openStoreOn(new Database(closable(client)));
  return { client, url };
}

/** What still comes after `close` must not reach whoever borrows the database next. */
function closable(client: SqlClient): SqlClient {
  let closed = false;
  const whileOpen = <T>(run: () => Promise<T>): Promise<T> =>
    closed ? Promise.reject(new Error('the database is closed')) : run();
  return {
    writesAtOnce: client.writesAtOnce,
    read: (input) => whileOpen(() => client.read(input)),
    write: (writes) => whileOpen(() => client.write(writes)),
    reconnect: () => whileOpen(() => client.reconnect()),
    close: async () => {
      closed = true;
    },
  };
}
