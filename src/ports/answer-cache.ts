import type { Result, Success } from '../../providers/contract.ts';

/** What is asked of the cache: keys hold their tenant (services/cache/cache-key.ts). */
export interface CacheAsk {
  tenantId: string;
  key: string;
  maxAgeSeconds: number;
}

/** Answers that may be given again, to the same tenant alone. */
export interface AnswerCache {
  /** The kept answer of the first of these keys that has one; null when none has, or the cache does not answer. */
  find(asks: readonly CacheAsk[]): Promise<{ key: string; answer: Success } | null>;
  /** The kept answers of these keys, by key. */
  findAll(asks: readonly CacheAsk[]): Promise<Map<string, Success>>;
  /** Keeps an answer, in place of an older one. Resolves when it is kept, or cannot be; never rejects. */
  keep(ask: CacheAsk, answer: Success): Promise<void>;
  /** A kept answer, or what `make` brings. Requests with one key that come side by side share one `make`. */
  through(ask: CacheAsk, make: () => Promise<Result>): Promise<{ result: Result; cached: boolean }>;
}
