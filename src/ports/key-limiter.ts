import type { KeyBudget } from '../core/key-budget.ts';
import type { Soon } from '../core/soon.ts';

/** A synchronous call that was let through. */
export interface KeyPermit {
  /** OpenAI's `x-ratelimit-*` headers, for the answer. */
  headers: Record<string, string>;
  /** To be called once at its end: the tokens it used, 0 when it used none, null when nobody knows. */
  settle(usedTokens: number | null): void;
}

/** The limits of API keys, shared by everything of one process that runs requests. The operator's own key has none. */
export interface KeyLimiter {
  /** The budget of a key, up to date to within seconds; null for the operator's own key. */
  budget(keyId: string | null): Soon<KeyBudget | null>;
  /** Lets a call of about so many tokens through. Throws ApiError 429 with Retry-After and `x-ratelimit-*`. */
  admit(keyId: string | null, estimatedTokens: number): Soon<KeyPermit>;
  /** Lets a batch be created; answers how many the key may have at once. Throws ApiError 429. */
  admitBatch(keyId: string | null): Promise<number | null>;
  /** What part of the rates a minute, 0 to 1, is this process's own: others on the same database have the rest. */
  takeShare(share: number): void;
  /** Bytes that the key may still store; null when nothing bounds them. */
  storageLeft(keyId: string | null): Promise<number | null>;
}
