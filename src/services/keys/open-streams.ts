import { ApiError } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import { KEY_FRESH_MS } from './authenticate.ts';

/** Who may read a stream: the holder of a key, or of a session that was made with one. */
export interface Holder {
  /** null for the operator's own key. */
  keyId: string | null;
  /** Of the signed-in browser, if it is one. */
  sessionHash: string | null;
}

interface Open {
  holder: Holder;
  ended: AbortController;
}

/** A stream that ends with its holder's right to read it. */
export interface HeldStream {
  /** Aborts when the right ends, and when the reader leaves. */
  signal: AbortSignal;
  /** Passes `items` on; throws ApiError 401 once the right has ended. */
  guard<T>(items: AsyncIterable<T>): AsyncGenerator<T>;
}

/**
 * Streams that may last for hours, and end when the right to read them does: at once where this process revokes it, else
 * after one look at the database for all of them together, every few seconds while there are any. One per app.
 */
export class OpenStreams {
  readonly #deps: Pick<Deps, 'store' | 'clock' | 'log'>;
  readonly #open = new Set<Open>();
  #watch: AbortController | null = null;

  constructor(deps: Pick<Deps, 'store' | 'clock' | 'log'>) {
    this.#deps = deps;
  }

  /** A stream for `holder` that is about to begin, whose reader leaves by `signal`. */
  begin(holder: Holder, signal: AbortSignal): HeldStream {
    const ended = new AbortController();
    return {
      signal: AbortSignal.any([signal, ended.signal]),
      guard: (items) => this.#guard({ holder, ended }, items),
    };
  }

  /** Ends the streams of a key and of the sessions that were made with it. */
  endKey(keyId: string): void {
    this.#end((holder) => holder.keyId === keyId);
  }

  /** Ends the streams of a session. */
  endSession(hash: string): void {
    this.#end((holder) => holder.sessionHash === hash);
  }

  #end(isOver: (holder: Holder) => boolean): void {
    for (const { holder, ended } of this.#open) {
      if (isOver(holder))
        ended.abort(new ApiError(401, 'The key or session that this stream was opened with has ended.'));
    }
  }

  async *#guard<T>(own: Open, items: AsyncIterable<T>): AsyncGenerator<T> {
    const { signal } = own.ended;
    this.#open.add(own);
    if (this.#watch === null) void this.#look();
    try {
      for await (const item of items) {
        signal.throwIfAborted();
        yield item;
      }
      signal.throwIfAborted();
    } finally {
      this.#open.delete(own);
      if (this.#open.size === 0) this.#watch?.abort();
    }
  }

  async #look(): Promise<void> {
    const watch = new AbortController();
    this.#watch = watch;
    while (this.#open.size > 0) {
      await this.#deps.clock.sleep(KEY_FRESH_MS, watch.signal);
      if (watch.signal.aborted) break;
      // What cannot be asked is asked again; until then nobody is taken for revoked.
      await this.#ask().catch((error: unknown) =>
        this.#deps.log.warn({ err: error }, 'could not see whether the keys of open streams still work'),
      );
    }
    this.#watch = null;
    // Whoever came between the last one's leaving and here.
    if (this.#open.size > 0) void this.#look();
  }

  async #ask(): Promise<void> {
    const { store, clock } = this.#deps;
    const holders = [...this.#open].map(({ holder }) => holder);
    const keys = new Set(holders.flatMap(({ keyId }) => keyId ?? []));
    const sessions = new Set(holders.flatMap(({ sessionHash }) => sessionHash ?? []));
    const [working, live] = await Promise.all([
      store.keys.working([...keys]),
      store.sessions.live([...sessions], unixSeconds(clock)),
    ]);
    for (const id of keys) if (!working.has(id)) this.endKey(id);
    for (const hash of sessions) if (!live.has(hash)) this.endSession(hash);
  }
}
