/** An answer to be given again; `answer` is JSON. Times are unix seconds. */
export interface CachedAnswerRow {
  key: string;
  tenantId: string;
  answer: string;
  createdAt: number;
  expiresAt: number;
}

export interface StoreCache {
  /** Rows of these keys that have not expired. */
  find(keys: readonly string[], now: number): Promise<CachedAnswerRow[]>;
  /** Keeps answers, in place of older ones. */
  keep(rows: readonly CachedAnswerRow[]): Promise<void>;
  deleteExpired(now: number): Promise<void>;
}
