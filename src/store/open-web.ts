import { createClient } from '@libsql/client/web';
import type { Store } from '../ports/store.ts';
import { Database } from './client.ts';
import { REMOTE_FETCH } from './remote-fetch.ts';
import { fromLibsql } from './sql-client.ts';
import { openStoreOn, storeOn } from './store.ts';

export interface StoreServer {
  /** `libsql://`, `https://` or `http://`. */
  url: string;
  authToken?: string | undefined;
  /** An earlier call has made the tables: they are not looked at again. */
  migrated?: boolean;
  /** Told of every call to the server. */
  onCall?: () => void;
}

/** Opens the store on a libSQL server, with its tables made where missing. */
export async function openStore({ url, authToken, migrated, onCall }: StoreServer): Promise<Store> {
  const fetch = (request: Request): Promise<Response> => {
    onCall?.();
    return REMOTE_FETCH(request);
  };
  const database = new Database(
    fromLibsql(createClient({ url, ...(authToken === undefined ? {} : { authToken }), fetch })),
  );
  return migrated === true ? storeOn(database) : openStoreOn(database);
}
