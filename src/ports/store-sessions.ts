import type { KeyRole } from '../protocol/key.ts';

/** A signed-in browser. */
export interface SessionRow {
  /** Lower-case hex SHA-256 of the token in the browser's cookie. */
  hash: string;
  /** The stored key it was made with; null for the operator's own key. */
  keyId: string | null;
  tenantId: string;
  role: KeyRole;
  /** For the operator's own key: binds the session to that key, so that it ends when the operator changes it. */
  operatorProof: string | null;
  /** Unix seconds. */
  createdAt: number;
  expiresAt: number;
}

export interface StoreSessions {
  /** Adds a session, and forgets those that ended before it was made. */
  insert(row: SessionRow): Promise<void>;
  /** Null for an unknown or ended session, and when its key was revoked. */
  find(hash: string, now: number): Promise<SessionRow | null>;
  /** Those of the sessions that `find` would find. */
  live(hashes: readonly string[], now: number): Promise<ReadonlySet<string>>;
  /** Ends a session; nothing happens when there is none. */
  delete(hash: string): Promise<void>;
}
