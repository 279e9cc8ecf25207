import { createClient } from '@libsql/client/web';
import type { Store } from '../ports/store.ts';
import { Database } from './client.ts';
import { REMOTE_FETCH } from './remote-fetch.ts';
import { openStoreOn } from './store.ts';

/** Opens the store on a libSQL server (`libsql://`, `https://`, `http://`), with its tables made where missing. */
export function openStore({ url, authToken }: { url: string; authToken?: string | undefined }): Promise<Store> {
  const client = createClient({ url, ...(authToken === undefined ? {} : { authToken }), fetch: REMOTE_FETCH });
  return openStoreOn(new Database(client));
}
