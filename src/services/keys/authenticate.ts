import { ApiError } from '../../core/api-error.ts';
import type { Actor, Deps } from '../../ports/deps.ts';
import { OneAtATime } from './one-at-a-time.ts';
import { hashSecret, isSecret, sameHash, sameSecret, secretPrefix } from './secret.ts';
import { DEFAULT_TENANT } from './tenant.ts';
import { FailureThrottle } from './throttle.ts';

/** How long an answer of the store is trusted: a key revoked by another process works no longer than this. */
export const KEY_FRESH_MS = 3_000;
const cachedKeys = 10_000;

const windowMs = 60_000;
const maxSources = 10_000;
/** Failures in a minute from one address, and of one address with secrets of one prefix. */
const failuresPerAddress = 100;
const failuresPerPrefix = 10;
/** So many keys of throttled addresses are looked up, one after the other; for more there is no time. */
const throttledMost = 64;

interface Cached {
  actor: Actor;
  freshUntil: number;
}

/** The secret that worked last on a connection, and its hash; empty before. */
export interface Presented {
  secret: string;
  hash: string;
}

export interface Authenticator {
  /**
   * Who holds `secret`. Throws the same 401 for an unknown, a revoked and a malformed one; 429 when `address` has
   * failed too often of late. Keys that work are let through even then: behind a reverse proxy all clients have one
   * address, and one of them must not lock the others out. They are looked up one at a time.
   */
  authenticate(secret: string, address: string): Promise<Actor>;
  /**
   * Who holds a secret that worked a moment ago; null when that is to be looked up. `presented`: the one that worked last
   * on the same connection, which mostly is the same again and then is not hashed again.
   */
  recall(secret: string, presented: Presented): Actor | null;
  /** Makes a revocation take effect at once in this process. */
  forget(keyId: string): void;
}

/** One per app: it holds a bounded cache of working keys and the recent failures. */
export function createAuthenticator(deps: Pick<Deps, 'store' | 'clock' | 'log' | 'adminKeyHash'>): Authenticator {
  const cache = new Map<string, Cached>();
  const byAddress = new FailureThrottle(failuresPerAddress, windowMs, maxSources);
  const byPrefix = new FailureThrottle(failuresPerPrefix, windowMs, maxSources);
  const throttled = new OneAtATime(throttledMost);

  async function lookUp(secret: string, hash: string): Promise<Actor | null> {
    if (!isSecret(secret)) return null;
    const row = await deps.store.keys.findByHash(hash);
    if (row === null || row.revokedAt !== null || !sameHash(row.hash, hash)) return null;
    return { tenantId: row.tenantId, keyId: row.id, role: row.role };
  }

  /** Who holds a secret from where too many did not work. Throws ApiError 429 when nobody does, or too many ask. */
  async function lookUpThrottled(secret: string, hash: string, waitMs: number): Promise<Actor> {
    const actor = await throttled.add(() => lookUp(secret, hash));
    if (actor !== null) return actor;
    const seconds = Math.ceil(waitMs / 1000);
    const message = `Too many requests with keys that do not work. Check the key and try again in ${seconds} s.`;
    throw new ApiError(429, message, { code: 'rate_limit_exceeded', retryAfterSeconds: seconds });
  }

  function remember(hash: string, actor: Actor, freshUntil: number): Actor {
    cache.delete(hash);
    cache.set(hash, { actor, freshUntil });
    if (cache.size > cachedKeys) cache.delete(cache.keys().next().value ?? '');
    return actor;
  }

  return {
    recall(secret, presented) {
      const hash = sameSecret(presented.secret, secret) ? presented.hash : hashSecret(secret);
      const cached = cache.get(hash);
      if (cached === undefined || cached.freshUntil <= deps.clock.now()) return null;
      presented.secret = secret;
      presented.hash = hash;
      return cached.actor;
    },
    async authenticate(secret, address) {
      const hash = hashSecret(secret);
      const ownHash = deps.adminKeyHash ?? null;
      if (ownHash !== null && sameHash(ownHash, hash)) {
        return remember(hash, { tenantId: DEFAULT_TENANT, keyId: null, role: 'admin' }, Number.POSITIVE_INFINITY);
      }
      const now = deps.clock.now();
      const cached = cache.get(hash);
      if (cached !== undefined && cached.freshUntil > now) return cached.actor;
      const source = `${address} ${secretPrefix(secret)}`;
      const waitMs = Math.max(byAddress.waitMs(address, now), byPrefix.waitMs(source, now));
      if (cached === undefined && waitMs > 0) {
        return remember(hash, await lookUpThrottled(secret, hash, waitMs), now + KEY_FRESH_MS);
      }
      const actor = await lookUp(secret, hash);
      cache.delete(hash);
      if (actor === null) {
        byAddress.fail(address, now);
        byPrefix.fail(source, now);
        if (byAddress.waitMs(address, now) > 0) deps.log.warn({ address }, 'too many failed authentications');
        throw new ApiError(401, 'Incorrect API key provided. Check that the key is complete and not revoked.', {
          code: 'invalid_api_key',
        });
      }
      return remember(hash, actor, now + KEY_FRESH_MS);
    },
    forget(keyId) {
      for (const [hash, cached] of cache) if (cached.actor.keyId === keyId) cache.delete(hash);
    },
  };
}
