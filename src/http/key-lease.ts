import { unixSeconds } from '../ports/clock.ts';
import type { Deps } from '../ports/deps.ts';
import type { IdempotencyRow } from '../ports/store-idempotency.ts';

type LeaseDeps = Pick<Deps, 'store' | 'clock' | 'log' | 'settings'>;

/** The hold of one run on its Idempotency-Key, which it prolongs as long as it lives. */
export class KeyLease {
  readonly #deps: LeaseDeps;
  readonly #row: Pick<IdempotencyRow, 'tenantId' | 'key'>;
  readonly #over = new AbortController();
  /** When the hold ends. More than one where a prolongation failed and may yet have been made. */
  #until: number[];
  #kept: Promise<void>;

  /** Of a key that was claimed until `lockedUntil`. */
  constructor(deps: LeaseDeps, row: Pick<IdempotencyRow, 'tenantId' | 'key'>, lockedUntil: number) {
    this.#deps = deps;
    this.#row = row;
    this.#until = [lockedUntil];
    this.#kept = this.#keep();
  }

  /** Prolongs it no more. Resolves when nothing is under way; never rejects. */
  async end(): Promise<void> {
    this.#over.abort();
    await this.#kept;
  }

  /** Gives the key to whoever asks next, once it has ended; one that is another run's by now stays that run's. */
  release(): Promise<void> {
    return this.#deps.store.idempotency.release(this.#row.tenantId, this.#row.key, this.#until);
  }

  async #keep(): Promise<void> {
    const { store, clock, log, settings } = this.#deps;
    const { tenantId, key } = this.#row;
    for (;;) {
      await clock.sleep((settings.leaseSeconds * 1000) / 3, this.#over.signal);
      if (this.#over.signal.aborted) return;
      const until = unixSeconds(clock) + settings.leaseSeconds;
      try {
        const isHeld = await store.idempotency.renew(tenantId, key, this.#until, until);
        if (!isHeld) {
          log.warn({}, 'the lease of an idempotency key lapsed: its request may be made twice');
          return;
        }
        this.#until = [until];
      } catch (error) {
        this.#until.push(until);
        log.warn({ err: error }, 'the lease of an idempotency key was not prolonged');
      }
    }
  }
}
