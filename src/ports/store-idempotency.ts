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
  /**
   * Prolongs the claim of a run that goes on until `lockedUntil`; `held`: until when it may have been made before. False
   * when the run no longer holds the key: it lapsed and is another run's, was given back or is answered. Two claims of a
   * key never end at the same second, as the second begins at the end of the first: when it ends tells whose it is.
   */
  renew(tenantId: string, key: string, held: readonly number[], lockedUntil: number): Promise<boolean>;
  /** Stores the answer unless there is one. Resolves with the row where another answer stands; null where this one does. */
  finish(tenantId: string, key: string, status: number, body: string): Promise<IdempotencyRow | null>;
  /** Gives the key back, so that a request that failed on our side can be tried again; not when it is another run's. */
  release(tenantId: string, key: string, held: readonly number[]): Promise<void>;
  /** Gives back every key that a run holds: no other process is alive that could. */
  releaseAll(): Promise<void>;
  deleteBefore(createdAt: number): Promise<void>;
}
