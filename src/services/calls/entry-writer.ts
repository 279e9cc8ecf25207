import { ApiError } from '../../core/api-error.ts';
import type { Deps } from '../../ports/deps.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';

/** Entries of one write. */
const GROUP_MAX = 500;
/** Calls whose ends are near wait so long for each other, so that they share a write. */
const GATHER_MS = 2;
const RETRY_MS = 250;
/** Entries that may wait for a database that does not answer; beyond, calls are refused before they cost anything. */
const WAITING_MAX = 10_000;

interface Waiting {
  entries: readonly LedgerEntryRow[];
  written: () => void;
}

/**
 * Makes entries of single calls durable, many in one write. An answer is given after its entry is written: a crash can
 * lose the entries of calls in flight only, whose answers nobody has.
 */
export class EntryWriter {
  private readonly deps: Pick<Deps, 'store' | 'log' | 'clock'>;
  private readonly waiting: Waiting[] = [];
  private waitingEntries = 0;
  private writing: Promise<void> | null = null;
  /** Calls begun and not ended: as long as there are more than are waiting, others may join a write. */
  private open = 0;

  constructor(deps: Pick<Deps, 'store' | 'log' | 'clock'>) {
    this.deps = deps;
  }

  /** A call begins. Throws 503 while the database is so far behind that its entry might not be kept. */
  begin(): void {
    if (this.waitingEntries >= WAITING_MAX) {
      throw new ApiError(503, 'The ledger cannot be written at the moment. Try again in a few seconds.', {
        code: 'ledger_unavailable',
        retryAfterSeconds: 5,
      });
    }
    this.open += 1;
  }

  /** A call is over, its entries included. */
  end(): void {
    this.open -= 1;
  }

  /** Resolves when the entries are durable. */
  add(entries: readonly LedgerEntryRow[]): Promise<void> {
    if (entries.length === 0) return Promise.resolve();
    return new Promise((written) => {
      this.waiting.push({ entries, written });
      this.waitingEntries += entries.length;
      this.writing ??= this.writeAll().finally(() => {
        this.writing = null;
      });
    });
  }

  /** Resolves when everything that was added is durable, or could not be made so in `ms`. */
  async drain(ms: number): Promise<void> {
    const late = new AbortController();
    await Promise.race([this.writing, this.deps.clock.sleep(ms, late.signal)]);
    late.abort();
    if (this.waitingEntries > 0) this.deps.log.error({ entries: this.waitingEntries }, 'ledger entries were lost');
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0) {
      if (this.open > this.waiting.length) await this.gather();
      const group = this.takeGroup();
      const entries = group.flatMap((waiting) => waiting.entries);
      await this.write(entries);
      this.waitingEntries -= entries.length;
      for (const { written } of group) written();
    }
  }

  private gather(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, GATHER_MS));
  }

  private takeGroup(): Waiting[] {
    let entries = 0;
    let count = 0;
    for (const next of this.waiting) {
      entries += next.entries.length;
      if (count > 0 && entries > GROUP_MAX) break;
      count += 1;
    }
    return this.waiting.splice(0, count);
  }

  private async write(entries: readonly LedgerEntryRow[]): Promise<void> {
    for (;;) {
      try {
        return await this.deps.store.ledger.append(entries);
      } catch (error) {
        this.deps.log.error({ err: error, entries: entries.length }, 'the ledger could not be written; trying again');
        await this.deps.clock.sleep(RETRY_MS);
      }
    }
  }
}
