import type { Deps } from '../../ports/deps.ts';
import type { Scope } from '../../ports/store-query.ts';
import type { BatchObject } from '../../protocol/batch.ts';
import { type BatchesEvent, RUNNING_SHOWN } from '../../protocol/events.ts';
import { presentBatch } from '../batches/present.ts';

const POLL_MS = 1_000;
/** Ended batches that are remembered for readers who come back. */
const ENDED_KEPT = 200;

interface Ended {
  seq: number;
  batch: BatchObject;
}

/**
 * What one tenant's running batches look like, for any number of readers: one look at the database a second while
 * anybody reads, none otherwise. Readers are given the newest state when they are ready for it, however slow they are.
 */
export class Feed {
  readonly #deps: Pick<Deps, 'store' | 'clock' | 'log'>;
  readonly #scope: Scope;
  readonly #stopped = new AbortController();
  #seq = 0;
  #running: BatchObject[] | null = null;
  #text = '';
  #ended: Ended[] = [];
  #changed = Promise.withResolvers<void>();

  constructor(deps: Pick<Deps, 'store' | 'clock' | 'log'>, scope: Scope) {
    this.#deps = deps;
    this.#scope = scope;
    void this.#poll();
  }

  /** Counts the states there have been. */
  get seq(): number {
    return this.#seq;
  }

  /** Resolves at the next change, or never when there is none. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** The state now, for a reader whose last event was `after`; null for one that has seen nothing of this feed. */
  event(after: number | null): BatchesEvent {
    const oldest = this.#ended[0]?.seq ?? 0;
    const isKept = after !== null && (this.#ended.length < ENDED_KEPT || after >= oldest);
    return {
      object: 'event.batches',
      running: this.#running ?? [],
      ended: this.#ended.filter(({ seq }) => isKept && seq > after).map(({ batch }) => batch),
      complete: isKept,
    };
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #poll(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await this.#look().catch((error: unknown) =>
        this.#deps.log.warn({ err: error }, 'the event feed failed to read'),
      );
      await this.#deps.clock.sleep(POLL_MS, signal);
    }
  }

  async #look(): Promise<void> {
    const { batches } = this.#deps.store;
    const running = (await batches.live(this.#scope, RUNNING_SHOWN)).map(presentBatch);
    const text = JSON.stringify(running);
    if (text === this.#text) return;
    const ids = new Set(running.map(({ id }) => id));
    const gone = (this.#running ?? []).filter(({ id }) => !ids.has(id));
    const rows = await Promise.all(gone.map(({ id }) => batches.get(this.#scope, id)));
    this.#seq += 1;
    this.#ended.push(...rows.flatMap((row) => (row === null ? [] : [{ seq: this.#seq, batch: presentBatch(row) }])));
    this.#ended.splice(0, this.#ended.length - ENDED_KEPT);
    this.#running = running;
    this.#text = text;
    const changed = this.#changed;
    this.#changed = Promise.withResolvers();
    changed.resolve();
  }
}
