import { formatId, ID_BYTES } from '../../core/ids.ts';
import type { Deps } from '../../ports/deps.ts';
import { stepShard } from './step.ts';

/** A crash in a step is found again after this. */
const LEASE_SECONDS = 600;

/** Works on provider batches: a bounded number of steps at once, each on a leased shard. */
export class ShardRunner {
  readonly token: string;
  private readonly deps: Deps;
  private readonly abort = new AbortController();
  private readonly running = new Set<Promise<void>>();
  private claiming = false;
  private renewedAt = 0;

  constructor(deps: Deps) {
    this.deps = deps;
    this.token = formatId('req_', deps.random.bytes(ID_BYTES)).slice('req_'.length);
  }

  /** Starts the steps that are due; resolves when they have been claimed, not when they are done. */
  async wake(): Promise<void> {
    if (this.claiming || this.abort.signal.aborted) return;
    this.claiming = true;
    try {
      await this.renew();
      const room = this.deps.settings.maxShardSteps - this.running.size;
      if (room <= 0) return;
      const now = Math.floor(this.deps.clock.now() / 1000);
      const shards = await this.deps.store.shards.claimDue({
        now,
        until: now + LEASE_SECONDS,
        token: this.token,
        limit: room,
        exclude: [],
      });
      for (const shard of shards) {
        const step = stepShard(this.deps, shard, this.abort.signal).finally(() => this.running.delete(step));
        this.running.add(step);
      }
    } finally {
      this.claiming = false;
    }
  }

  /** A step may outlast its lease: while it runs here, the lease goes on. */
  private async renew(): Promise<void> {
    const now = Math.floor(this.deps.clock.now() / 1000);
    if (this.running.size === 0 || now - this.renewedAt < LEASE_SECONDS / 6) return;
    await this.deps.store.shards.renew(this.token, now + LEASE_SECONDS);
    this.renewedAt = now;
  }

  /** Resolves when no step is running. */
  async idle(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }

  /** Breaks off what is running: every step can be taken again from what it has stored. */
  async stop(): Promise<void> {
    this.abort.abort();
    await this.idle();
  }
}
