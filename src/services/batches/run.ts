import { describeError } from '../../core/describe-error.ts';
import { formatId, ID_BYTES } from '../../core/ids.ts';
import { cameInTime, unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import { finalizeBatch } from './finalize.ts';
import { startBatch } from './start.ts';

const BATCHES_AT_ONCE = 4;
const RETRY_SECONDS = 5;

/** Brings batches from one status to the next: a few at once, so that a large one holds up no small one. */
export class BatchRunner {
  readonly token: string;
  private readonly deps: Deps;
  /** What is worked on here, by batch. */
  private readonly running = new Map<string, Promise<void>>();
  private stopped = false;

  constructor(deps: Deps) {
    this.deps = deps;
    this.token = formatId('req_', deps.random.bytes(ID_BYTES));
  }

  /** Starts on the batches that are due. Answers how many, when they are claimed and not when they are done. */
  async wake(): Promise<number> {
    const room = BATCHES_AT_ONCE - this.running.size;
    if (this.stopped || room <= 0) return 0;
    const now = unixSeconds(this.deps.clock);
    const due = await this.deps.store.batches.claimDue({
      now,
      until: now + this.deps.settings.leaseSeconds,
      token: this.token,
      limit: room,
    });
    for (const batch of due) {
      // Its lease had lapsed, while this process was stopped perhaps: the work goes on under the new one.
      if (this.running.has(batch.id)) continue;
      const work = this.work(batch).finally(() => {
        this.running.delete(batch.id);
        this.deps.nudge();
      });
      this.running.set(batch.id, work);
    }
    return due.length;
  }

  /** Resolves when no batch is worked on here. */
  async idle(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running.values());
  }

  /** Takes nothing more, and waits for what is under way as long as requests in flight may take: it can be done again. */
  async stop(): Promise<void> {
    this.stopped = true;
    await cameInTime(this.deps.clock, this.idle(), this.deps.settings.drainSeconds * 1000);
  }

  /** The largest batch takes minutes: while work goes on here, so does the lease. Call it every third of a lease. */
  async renew(): Promise<void> {
    if (this.running.size === 0) return;
    const until = unixSeconds(this.deps.clock) + this.deps.settings.leaseSeconds;
    await this.deps.store.batches.renew([...this.running.keys()], this.token, until);
  }

  /** A batch that cannot be worked on now (its disk, its database) is tried again a little later. */
  private async work(batch: BatchRow): Promise<void> {
    const { deps, token } = this;
    let nextAt = 0;
    try {
      if (batch.status === 'validating') await startBatch(deps, batch, token);
      else await finalizeBatch(deps, batch, token);
    } catch (error) {
      deps.log.error({ batch: batch.id, status: batch.status, error: describeError(error) }, 'batch work failed');
      nextAt = unixSeconds(deps.clock) + RETRY_SECONDS;
    }
    await deps.store.batches
      .release(batch.id, token, nextAt)
      .catch((error: unknown) =>
        deps.log.warn({ batch: batch.id, error: describeError(error) }, 'batch lease not given back'),
      );
  }
}
