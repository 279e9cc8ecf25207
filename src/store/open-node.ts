import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createClient } from '@libsql/client';
import type { Store } from '../ports/store.ts';
import { Database } from './client.ts';
import { REMOTE_FETCH } from './remote-fetch.ts';
import { openStoreOn } from './store.ts';

export interface StoreAddress {
  /** `file:<path>` for an embedded database; `libsql://`, `https://` or `http://` for a server. */
  url: string;
  authToken?: string | undefined;
}

const BUSY_TIMEOUT_MS = 5_000;
/** A negative size is in KiB: pages kept in memory, mostly of the ledger's indexes. */
const CACHE_SIZE = -65_536;

/** Opens the store, with the directory of its file and its tables made where they are missing. */
export async function openStore(address: StoreAddress): Promise<Store> {
  return openStoreOn(await openDatabase(address));
}

/** Opens the database alone, without its tables. */
export async function openDatabase({ url, authToken }: StoreAddress): Promise<Database> {
  if (!url.startsWith('file:')) {
    return new Database(createClient({ url, ...(authToken === undefined ? {} : { authToken }), fetch: REMOTE_FETCH }));
  }
  await mkdir(dirname(filePath(url)), { recursive: true });
  // One connection: every call of the embedded client is synchronous, and pragmas hold for one connection only.
  const client = createClient({ url, concurrency: 1, timeout: BUSY_TIMEOUT_MS });
  const database = new Database(client, async () => {
    await client.execute('pragma journal_mode = wal');
    // FULL: a committed part must survive a loss of power, not only of the process.
    await client.execute('pragma synchronous = full');
    await client.execute(`pragma cache_size = ${CACHE_SIZE}`);
  });
  await database.prepare();
  return database;
}

function filePath(url: string): string {
  const path = url.slice('file:'.length).split(/[?#]/)[0] ?? '';
  return decodeURIComponent(path.startsWith('//') ? path.replace(/^\/\/[^/]*/, '') : path);
}
