import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Store } from '../ports/store.ts';
import { Database } from './client.ts';
import { openThreads } from './embedded/thread-client.ts';
import { REMOTE_FETCH } from './remote-fetch.ts';
import { fromLibsql } from './sql-client.ts';
import { openStoreOn } from './store.ts';

export interface StoreAddress {
  /** `file:<path>` for an embedded database; `libsql://`, `https://` or `http://` for a server. */
  url: string;
  authToken?: string | undefined;
}

const BUSY_TIMEOUT_MS = 5_000;
/** FULL: a committed part must survive a loss of power, not only of the process. */
const DURABLE = ['journal_mode = wal', 'synchronous = full'];
/** Pages kept in memory, mostly of the ledger's indexes (a negative size is in KiB); 16 MiB of log between checkpoints. */
const WRITER = [...DURABLE, 'cache_size = -16384', 'wal_autocheckpoint = 4096'];
const READER = [...DURABLE, 'cache_size = -4096', 'query_only = true'];

/** Opens the store, with the directory of its file and its tables made where they are missing. */
export async function openStore(address: StoreAddress): Promise<Store> {
  return openStoreOn(await openDatabase(address));
}

/** Opens the database alone, without its tables. */
export async function openDatabase({ url, authToken }: StoreAddress): Promise<Database> {
  if (!url.startsWith('file:')) {
    // Most servers have an embedded database: the client of remote ones is megabytes that they need not read.
    const { createClient } = await import('@libsql/client');
    const client = createClient({ url, ...(authToken === undefined ? {} : { authToken }), fetch: REMOTE_FETCH });
    return new Database(fromLibsql(client));
  }
  const path = filePath(url);
  await mkdir(dirname(path), { recursive: true });
  const connection = { path, busyTimeoutMs: BUSY_TIMEOUT_MS };
  return new Database(await openThreads({ ...connection, pragmas: WRITER }, { ...connection, pragmas: READER }));
}

function filePath(url: string): string {
  const path = url.slice('file:'.length).split(/[?#]/)[0] ?? '';
  return decodeURIComponent(path.startsWith('//') ? path.replace(/^\/\/[^/]*/, '') : path);
}
