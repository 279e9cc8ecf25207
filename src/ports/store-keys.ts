import type { KeyLimits, KeyRole } from '../protocol/key.ts';
import type { ListQuery, Scope } from './store-query.ts';

export interface KeyRow {
  id: string;
  tenantId: string;
  name: string;
  role: KeyRole;
  /** First characters of the secret, to recognise it by. */
  prefix: string;
  /** Lower-case hex SHA-256 of the secret. */
  hash: string;
  /** null where the server's default holds. */
  limits: KeyLimits | null;
  createdAt: number;
  revokedAt: number | null;
}

export interface StoreKeys {
  /**
   * Answers the row that stands. Where an earlier run of the same call has made the key, it stays as it is; `again`: but for
   * its secret, which becomes this row's, unless it is revoked.
   */
  insert(row: KeyRow, again?: boolean): Promise<KeyRow>;
  get(id: string): Promise<KeyRow | null>;
  findByHash(hash: string): Promise<KeyRow | null>;
  /** Those of the keys that may be used still. */
  working(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Keys of the scope, revoked ones included; null when `after` names none of them. */
  list(scope: Scope, query: ListQuery): Promise<KeyRow[] | null>;
  /** The revoked row; null when there is no such key. Revoking twice keeps the first time. */
  revoke(id: string, now: number): Promise<KeyRow | null>;
  /** The changed row; null when there is no such key. */
  update(id: string, change: Partial<Pick<KeyRow, 'name' | 'limits'>>): Promise<KeyRow | null>;
  count(): Promise<number>;
}
