import { describeError } from '../../core/describe-error.ts';
import { formatId, ID_BYTES } from '../../core/ids.ts';
import { Permits } from '../../core/permits.ts';
import { cameInTime, steadyMs, unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import { LeasedWork } from '../leased-work.ts';
import { Ahead } from './ahead.ts';
import { finalizeBatch } from './finalize.ts';
import { type StartOutcome, startBatch } from './start.ts';

const BATCHES_AT_ONCE = 32;
/** A batch of more lines takes megabytes and minutes: only so many of them are worked on at once. */
const LARGE_LINES = 5_000;
const LARGE_AT_ONCE = 4;
const RETRY_SECONDS = 5;

interface Outcome extends StartOutcome {
  /** When it is to be looked at again, in Unix seconds. */
  nextAt: number;
}

/**
 * Brings batches from one status to the next: many small ones at once, for each mostly waits for disk and database, and
 * a few large ones, so that none of them holds up a small one.
 */
export class BatchRunner {
  readonly token: string;
  private readonly deps: Deps;
  private readonly work = new LeasedWork();
  private readonly large = new Permits(LARGE_AT_ONCE);
  /** Since when a batch cannot be brought to its end here, on the steady clock. */
  private readonly failingSince = new Map<string, number>();
  private readonly ahead: Ahead | null;
  private stopped = false;

  /** `isAlone`: no other process works on this database. */
  constructor(deps: Deps, { isAlone = false } = {}) {
    this.deps = deps;
    this.ahead = isAlone ? new Ahead(deps) : null;
    this.token = formatId('req_', deps.random.bytes(ID_BYTES));
  }

  /** Starts on the batches that are due. Answers how many, when they are claimed and not when they are done. */
  async wake(): Promise<number> {
    this.ahead?.look();
    const room = BATCHES_AT_ONCE - this.work.size;
    if (this.stopped || room <= 0) return 0;
    const now = unixSeconds(this.deps.clock);
    const due = await this.deps.store.batches.claimDue({
      now,
      until: now + this.deps.settings.leaseSeconds,
      token: this.token,
      limit: room,
    });
    for (const batch of due) {
      this.work.begin(
        batch.id,
        () => this.advance(batch),
        (outcome) => this.giveBack(batch, outcome),
      );
    }
    return due.length;
  }

  /** Resolves when no batch is worked on here. */
  idle(): Promise<void> {
    return this.work.idle();
  }

  /** Takes nothing more, and waits for what is under way as long as requests in flight may take: it can be done again. */
  async stop(): Promise<void> {
    this.stopped = true;
    await cameInTime(this.deps.clock, this.idle(), this.deps.settings.drainSeconds * 1000);
    await this.ahead?.stop();
  }

  /** The largest batch takes minutes: while work goes on here, so does the lease. Call it every third of a lease. */
  async renew(): Promise<void> {
    if (this.work.size === 0) return;
    const until = unixSeconds(this.deps.clock) + this.deps.settings.leaseSeconds;
    await this.deps.store.batches.renew(this.work.ids, this.token, until);
  }

  /** With what it is given back: one that cannot be worked on now (its disk, its database) is looked at again a little later. */
  private async advance(batch: BatchRow): Promise<Outcome> {
    const { deps, token } = this;
    const giveUp = this.triedLongEnough(batch.id);
    try {
      const input = await deps.store.files.getAny(batch.inputFileId);
      const bring = (): Promise<StartOutcome> =>
        batch.status === 'validating'
          ? startBatch(deps, batch, input, token)
          : finalizeBatch(deps, batch, input, { token, giveUp, begun: async () => this.ahead?.take(batch.id) ?? null });
      const isLarge = (input?.plan?.lines ?? 0) > LARGE_LINES;
      const { ended, estimate } = await (isLarge ? this.large.with(bring) : bring());
      this.failingSince.delete(batch.id);
      return { ended, estimate, nextAt: 0 };
    } catch (error) {
      // Of one that is yet to start, others may see the end: nothing may be left of it here when that comes.
      const isEnding = batch.status !== 'validating';
      if (isEnding && !this.failingSince.has(batch.id)) this.failingSince.set(batch.id, steadyMs(deps.clock));
      deps.log.error({ batch: batch.id, status: batch.status, error: describeError(error) }, 'batch work failed');
      return { ended: false, nextAt: unixSeconds(deps.clock) + RETRY_SECONDS };
    }
  }

  /** Whether what cannot be read has been tried for so long that nobody is to wait for it any more: disks come back. */
  private triedLongEnough(id: string): boolean {
    const since = this.failingSince.get(id);
    const { clock, settings } = this.deps;
    return since !== undefined && steadyMs(clock) - since >= settings.unreadableSeconds * 1000;
  }

  private async giveBack(batch: BatchRow, { ended, nextAt, estimate }: Outcome): Promise<void> {
    const { deps, token } = this;
    // With its end a batch is nobody's any more.
    if (!ended) {
      await deps.store.batches
        .release(batch.id, token, nextAt, estimate)
        .catch((error: unknown) =>
          deps.log.warn({ batch: batch.id, error: describeError(error) }, 'batch lease not given back'),
        );
    }
    deps.nudge('batches');
  }
}
