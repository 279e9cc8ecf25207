export interface IdempotencyRow {
  tenantId: string;
  key: string;
  /** Method, path and a hash of the body: the same key with another fingerprint is a conflict. */
  fingerprint: string;
  /** Entropy from which the request's new ids are derived, so that a repeated run after a crash makes the same ids. */
  seed: string;
  status: number | null;
  body: string | null;
  createdAt: number;
}

export interface StoreIdempotency {
  /**
   * Claims (tenant, key) until `lockedUntil`. Answers `mine` for a new key, or one whose earlier run ended without an
   * answer (then with that run's row and seed); `done` with the stored answer; `busy` while another run holds it.
   */
  claim(
    row: IdempotencyRow,
    now: number,
    lockedUntil: number,
  ): Promise<{ state: 'mine' | 'done' | 'busy'; row: IdempotencyRow }>;
  /** Prolongs the claim of a run that goes on; nothing happens to a key that was given back or is answered. */
  renew(tenantId: string, key: string, lockedUntil: number): Promise<void>;
  finish(tenantId: string, key: string, status: number, body: string): Promise<void>;
  /** Gives the key back, so that a request that failed on our side can be tried again. */
  release(tenantId: string, key: string): Promise<void>;
  /** Gives back every key that a run holds: no other process is alive that could. */
  releaseAll(): Promise<void>;
  deleteBefore(createdAt: number): Promise<void>;
}
