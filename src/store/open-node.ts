import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import type { Store } from '../ports/store.ts';
import { Database } from './client.ts';
import { attachThreads, type DatabaseThread, openThreads, type ThreadsClient } from './embedded/thread-client.ts';
import { REMOTE_FETCH } from './remote-fetch.ts';
import { fromLibsql, type SqlClient } from './sql-client.ts';
import { openStoreOn, storeOn } from './store.ts';

export type { DatabaseThread };

export interface StoreAddress {
  /** `file:<path>` for an embedded database; `libsql://`, `https://` or `http://` for a server. */
  url: string;
  authToken?: string | undefined;
}

const BUSY_TIMEOUT_MS = 5_000;
/** FULL: a committed part must survive a loss of power, not only of the process. */
const DURABLE = ['journal_mode = wal', 'synchronous = full'];
/**
 * Pages kept in memory, mostly of the ledger's indexes (a negative size is in KiB; twice as many save a batch no time), and
 * 16 MiB of log between checkpoints.
 */
const WRITER = [...DURABLE, 'cache_size = -8192', 'wal_autocheckpoint = 4096'];
const READER = [...DURABLE, 'cache_size = -4096', 'query_only = true'];

/** A store whose embedded database other threads of the process may use, too (`attachStore`); null: one that has no file. */
export interface SharedStore {
  store: Store;
  serve: ((thread: DatabaseThread, port: MessagePort) => Promise<void>) | null;
}

/** Opens the store, with the directory of its file and its tables made where they are missing. */
export async function openStore(address: StoreAddress): Promise<Store> {
  return (await openSharedStore(address)).store;
}

/** As `openStore`, for several threads. */
export async function openSharedStore(address: StoreAddress): Promise<SharedStore> {
  if (!address.url.startsWith('file:'))
    return { store: await openStoreOn(new Database(await openRemote(address))), serve: null };
  const client = await openEmbedded(address);
  return { store: await openStoreOn(new Database(client)), serve: client.serve };
}

/**
 * The store that another thread of this process has opened, for use in this one. `send` brings a port to the `serve` of
 * that thread; a database that is a server's is connected to anew.
 */
export async function attachStore(
  address: StoreAddress,
  send: (thread: DatabaseThread, port: MessagePort) => void,
): Promise<Store> {
  return storeOn(new Database(address.url.startsWith('file:') ? attachThreads(send) : await openRemote(address)));
}

/** Opens the database alone, without its tables. */
export async function openDatabase(address: StoreAddress): Promise<Database> {
  return new Database(await openClient(address));
}

/** Opens the connections alone. */
export async function openClient(address: StoreAddress): Promise<SqlClient> {
  return address.url.startsWith('file:') ? openEmbedded(address) : openRemote(address);
}

async function openRemote({ url, authToken }: StoreAddress): Promise<SqlClient> {
  // Most servers have an embedded database: the client of remote ones is megabytes that they need not read.
  const { createClient } = await import('@libsql/client');
  const client = createClient({ url, ...(authToken === undefined ? {} : { authToken }), fetch: REMOTE_FETCH });
  return fromLibsql(client);
}

async function openEmbedded({ url }: StoreAddress): Promise<ThreadsClient> {
  const path = filePath(url);
  await mkdir(dirname(path), { recursive: true });
  const connection = { path, busyTimeoutMs: BUSY_TIMEOUT_MS };
  return openThreads({ ...connection, pragmas: WRITER }, { ...connection, pragmas: READER });
}

/** The path of a `file:` URL. */
export function filePath(url: string): string {
  const path = url.slice('file:'.length).split(/[?#]/)[0] ?? '';
  return decodeURIComponent(path.startsWith('//') ? path.replace(/^\/\/[^/]*/, '') : path);
}
