import { ApiError } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { Scope } from '../../ports/store-query.ts';
import type { BatchesEvent } from '../../protocol/events.ts';
import { Feed } from './feed.ts';

/** Streams open at once over one tenant's batches. */
const READERS_MAX = 100;
/** A stream ends after so long and its reader comes back: sessions and keys are looked at again. */
const STREAM_MS = 5 * 60_000;
/** Proxies cut what is silent for long. */
const BEAT_MS = 15_000;

/** `id` names the event for a reader that comes back; without `event` it is a sign of life. */
export interface FeedItem {
  id: string;
  event: BatchesEvent | null;
}

/** A feed with its readers; `name` begins the ids of its events. */
interface Shared {
  name: string;
  feed: Feed;
  readers: number;
}

export interface Events {
  /** The states of a scope's running batches, from now on; `lastId` is the id of the last event that was seen. */
  follow(scope: Scope, context: Pick<Context, 'signal'>, lastId: string | undefined): AsyncGenerator<FeedItem>;
}

/** One per app: it shares a feed among the readers of one scope. */
export function createEvents(deps: Pick<Deps, 'store' | 'clock' | 'log' | 'random'>): Events {
  const feeds = new Map<string, Shared>();
  // Sequence numbers of another process, or of an earlier feed, mean nothing here.
  const epoch = Buffer.from(deps.random.bytes(6)).toString('hex');
  let made = 0;

  function open(scope: Scope): Shared {
    const key = keyOf(scope);
    let shared = feeds.get(key);
    if (shared === undefined) {
      made += 1;
      shared = { name: `${epoch}.${made}`, feed: new Feed(deps, scope), readers: 0 };
      feeds.set(key, shared);
    }
    shared.readers += 1;
    return shared;
  }

  function close(scope: Scope, shared: Shared): void {
    shared.readers -= 1;
    if (shared.readers > 0) return;
    shared.feed.stop();
    feeds.delete(keyOf(scope));
  }

  async function* read(scope: Scope, signal: AbortSignal, lastId: string | undefined): AsyncGenerator<FeedItem> {
    const shared = open(scope);
    const { name, feed } = shared;
    const until = deps.clock.now() + STREAM_MS;
    const [lastName, lastSeq] = (lastId ?? '').split('-');
    let seen: number | null = lastName === name ? Number(lastSeq) : null;
    try {
      if (feed.seq === 0) await Promise.race([feed.changed, deps.clock.sleep(BEAT_MS, signal)]);
      while (!signal.aborted && deps.clock.now() < until) {
        const { seq } = feed;
        const id = `${name}-${seq}`;
        if (seq === seen) yield { id, event: null };
        else yield { id, event: feed.event(seen) };
        seen = seq;
        if (feed.seq === seq) await quiet(feed, signal);
      }
    } finally {
      close(scope, shared);
    }
  }

  /** Until the feed changes, it is time for a sign of life, or the reader leaves. */
  async function quiet(feed: Feed, signal: AbortSignal): Promise<void> {
    const heard = new AbortController();
    await Promise.race([feed.changed, deps.clock.sleep(BEAT_MS, AbortSignal.any([signal, heard.signal]))]);
    heard.abort();
  }

  return {
    follow(scope, { signal }, lastId) {
      if ((feeds.get(keyOf(scope))?.readers ?? 0) >= READERS_MAX) {
        throw new ApiError(429, `There are already ${READERS_MAX} event streams open. Close one and try again.`, {
          code: 'too_many_streams',
          retryAfterSeconds: 30,
        });
      }
      return read(scope, signal, lastId);
    },
  };
}

function keyOf(scope: Scope): string {
  return scope === 'all' ? '*' : `=${scope.tenantId}`;
}
