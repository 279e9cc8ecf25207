import { ApiError } from '../../core/api-error.ts';
import { KeyBudget } from '../../core/key-budget.ts';
import type { Soon } from '../../core/soon.ts';
import { steadyMs } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { KeyLimiter, KeyPermit } from '../../ports/key-limiter.ts';
import { type KeyLimits, NO_KEY_LIMITS } from '../../protocol/key.ts';

/** How long the limits of a key are trusted: a change in another process takes effect after this. */
const FRESH_MS = 3_000;
const KEYS_MAX = 10_000;

interface Known {
  budget: KeyBudget;
  freshUntil: number;
}

/** The budgets of the keys in use. On Workers they outlast the invocation that opened the store. */
export type KnownBudgets = Map<string, Known>;

/**
 * Limits by key: what the key's row states, else `defaults` (the config's `key_limits`), which do not bind admin keys.
 * Rates are counted in this server, in its share of them; live batches and stored bytes in the database.
 */
export function createKeyLimiter(
  deps: Pick<Deps, 'store' | 'clock' | 'common'>,
  defaults: KeyLimits,
  known: KnownBudgets = new Map(),
): KeyLimiter {
  let share = 1;

  async function limitsOf(keyId: string): Promise<KeyLimits> {
    const row = await deps.store.keys.get(keyId);
    if (row === null) return NO_KEY_LIMITS;
    const own = row.limits ?? NO_KEY_LIMITS;
    if (row.role === 'admin') return own;
    const stated = Object.entries(own).filter(([, limit]) => limit !== null);
    return { ...defaults, ...Object.fromEntries(stated) };
  }

  function budget(keyId: string | null): Soon<KeyBudget | null> {
    if (keyId === null) return null;
    const now = steadyMs(deps.clock);
    const found = known.get(keyId);
    return found !== undefined && found.freshUntil > now ? found.budget : refresh(keyId, now);
  }

  async function refresh(keyId: string, now: number): Promise<KeyBudget> {
    const limits = await limitsOf(keyId);
    // Another call may have put it there meanwhile: a key has one budget.
    const begin = () => new KeyBudget(limits, now, deps.common?.region(`key ${keyId}`));
    const entry = known.get(keyId) ?? { budget: begin(), freshUntil: 0 };
    entry.budget.change(limits, now);
    entry.budget.takeShare(share, now);
    entry.freshUntil = now + FRESH_MS;
    known.delete(keyId);
    known.set(keyId, entry);
    if (known.size > KEYS_MAX) known.delete(known.keys().next().value ?? '');
    return entry.budget;
  }

  function permit(own: KeyBudget | null, estimatedTokens: number): KeyPermit {
    if (own === null) return UNLIMITED;
    const now = steadyMs(deps.clock);
    const wait = own.callWaitMs(estimatedTokens, now);
    if (wait > 0) {
      own.promise(estimatedTokens, wait, now);
      throw tooManyRequests(own, wait, now);
    }
    own.spendCall(estimatedTokens, now);
    return {
      headers: own.headers(now),
      settle: (used) => own.correctCall(estimatedTokens, used, steadyMs(deps.clock)),
    };
  }

  return {
    budget,
    takeShare(part) {
      share = part;
      for (const { budget: own } of known.values()) own.takeShare(part, steadyMs(deps.clock));
    },
    admit(keyId, estimatedTokens) {
      const own = budget(keyId);
      if (own instanceof Promise) return own.then((known) => permit(known, estimatedTokens));
      return permit(own, estimatedTokens);
    },
    async admitBatch(keyId) {
      const own = await budget(keyId);
      if (own === null) return null;
      const now = steadyMs(deps.clock);
      const wait = own.batchWaitMs(now);
      if (wait > 0) throw tooManyCreates(own, wait);
      own.spendBatch(now);
      return own.stated.concurrent_batches;
    },
    async storageLeft(keyId) {
      const limit = (await budget(keyId))?.stated.storage_bytes ?? null;
      if (limit === null || keyId === null) return null;
      return Math.max(0, limit - (await deps.store.files.bytesOfKey(keyId)));
    },
  };
}

const UNLIMITED: KeyPermit = { headers: {}, settle: () => undefined };

function tooManyRequests(budget: KeyBudget, waitMs: number, now: number): ApiError {
  const { requests_per_minute: requests, tokens_per_minute: tokens } = budget.stated;
  const limits = [requests && `${requests} requests`, tokens && `${tokens} tokens`].filter(Boolean).join(' and ');
  const seconds = Math.ceil(waitMs / 1_000);
  const message = `Rate limit reached: this key may use ${limits} a minute. Try again in ${seconds} s, or send a batch: its lines wait.`;
  const headers = budget.headers(now);
  return new ApiError(429, message, { code: 'rate_limit_exceeded', retryAfterSeconds: seconds, headers });
}

function tooManyCreates(budget: KeyBudget, waitMs: number): ApiError {
  const seconds = Math.ceil(waitMs / 1_000);
  const message = `Rate limit reached: this key may create ${budget.stated.batches_per_minute} batches a minute. Put more lines into one file, or try again in ${seconds} s.`;
  return new ApiError(429, message, { code: 'rate_limit_exceeded', retryAfterSeconds: seconds });
}

/** The answer to a batch beyond those that a key may have at once. */
export function tooManyBatches(limit: number): ApiError {
  const message = `This key has ${limit} batches that have not ended, as many as it may. Wait for one to end, or cancel one.`;
  return new ApiError(429, message, { code: 'too_many_batches', retryAfterSeconds: 30 });
}

/** Throws ApiError 413 when the key may not store `bytes` more. */
export async function requireStorage(
  deps: Pick<Deps, 'limiter'>,
  keyId: string | null,
  bytes: number,
): Promise<{ left: number | null }> {
  const left = await deps.limiter.storageLeft(keyId);
  if (left !== null && left < bytes) throw storageFull(left);
  return { left };
}

/** Passes `content` on; throws ApiError 413 when it is more than `left` bytes. */
export async function* withinStorage(
  content: AsyncIterable<Uint8Array>,
  left: number | null,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (left !== null && bytes > left) throw storageFull(left);
    yield chunk;
  }
}

function storageFull(left: number): ApiError {
  const message = `The files of this key leave room for ${left} bytes only. Delete files that are no longer needed, or ask the operator for more.`;
  return new ApiError(413, message, { code: 'storage_quota_exceeded', param: 'file' });
}
