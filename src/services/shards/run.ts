import { formatId, ID_BYTES } from '../../core/ids.ts';
import type { PausedTarget } from '../../core/shard-alert.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { ShardLease } from '../../ports/store-shards.ts';
import { InputWatch } from '../batches/input-lost.ts';
import { LeasedWork } from '../leased-work.ts';
import type { Waits } from './shard-work.ts';
import { stepShard } from './step.ts';
import { Turns } from './turns.ts';

/** Works on provider batches: a bounded number of steps at once, each on a leased shard. */
export class ShardRunner {
  readonly token: string;
  private readonly deps: Deps;
  private readonly abort = new AbortController();
  private readonly work = new LeasedWork();
  private readonly waits: Waits = new Map();
  private readonly turns: Turns;
  private readonly watch: InputWatch;
  private claiming: Promise<boolean> | null = null;
  private hasMore = false;
  private paused: readonly PausedTarget[] = [];
  private pausedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: Deps) {
    this.deps = deps;
    this.watch = new InputWatch(deps);
    this.turns = new Turns(deps.settings, [...deps.providers.values()].filter(({ batch }) => batch).length);
    this.token = formatId('req_', deps.random.bytes(ID_BYTES)).slice('req_'.length);
  }

  /** Whether steps are being done now. */
  get isBusy(): boolean {
    return this.work.size > 0;
  }

  /** Starts the steps that are due; resolves when they have been claimed, not when they are done. */
  async wake(): Promise<void> {
    if (this.claiming || this.abort.signal.aborted) return;
    this.claiming = this.claim();
    try {
      this.hasMore = await this.claiming;
    } finally {
      this.claiming = null;
    }
  }

  /** Claims while there is room, in turns; true when more may be due than could be begun. */
  private async claim(): Promise<boolean> {
    const { clock, settings, store } = this.deps;
    const paused = await this.pausedTargets();
    let wasKeptOut = false;
    for (;;) {
      const room = settings.maxShardSteps - this.work.size;
      if (room <= 0 || this.abort.signal.aborted) return true;
      const { exclude, each } = this.turns.open(clock.now());
      wasKeptOut ||= exclude.length > 0;
      const now = unixSeconds(clock);
      const limit = Math.min(room, each);
      const query = { now, until: now + settings.leaseSeconds, token: this.token, limit, exclude, paused };
      const shards = await store.shards.claimDue(query);
      for (const shard of shards) this.begin(shard);
      if (shards.length < limit) return wasKeptOut;
    }
  }

  private begin(shard: ShardLease): void {
    const { deps } = this;
    const { state } = shard;
    const step = (): Promise<void> => {
      this.turns.begin(shard.provider, deps.clock.now());
      return stepShard(deps, shard, { waits: this.waits, watch: this.watch }, this.abort.signal).finally(() =>
        this.turns.end(shard.provider),
      );
    };
    this.work.begin(shard.id, step, async () => {
      await deps.store.shards.release(shard.id, shard.leaseToken).catch(() => undefined);
      // A poll that found it running changes nothing for anybody else.
      if (shard.state !== state) deps.nudge();
      if (this.hasMore)
        this.wake().catch((error: unknown) => deps.log.error({ error: String(error) }, 'claim of shards failed'));
    });
  }

  /** Asked for once a second: every wake would be too often with thousands of shards. */
  private async pausedTargets(): Promise<readonly PausedTarget[]> {
    const now = this.deps.clock.now();
    if (Math.abs(now - this.pausedAt) >= 1_000) {
      this.paused = await this.deps.store.shards.pausedTargets(Math.floor(now / 1000));
      this.pausedAt = now;
    }
    return this.paused;
  }

  /** A step may outlast its lease: while it runs here, the lease goes on. Call it every third of a lease. */
  async renew(): Promise<void> {
    if (this.work.size === 0) return;
    const until = unixSeconds(this.deps.clock) + this.deps.settings.leaseSeconds;
    await this.deps.store.shards.renew(this.work.ids, this.token, until);
  }

  /** Resolves when no step is running. */
  idle(): Promise<void> {
    return this.work.idle();
  }

  /** Breaks off what is running: every step can be taken again from what it has stored. */
  async stop(): Promise<void> {
    this.abort.abort();
    // What a claim that is under way brings is begun, too.
    await this.claiming?.catch(() => undefined);
    await this.idle();
  }
}
