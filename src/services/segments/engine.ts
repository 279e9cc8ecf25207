/**
 * Immediate mode: leases segments and keeps every provider busy with their lines until each line has a result.
 *
 *   claim ─▶ segment queue ─▶ feed ─▶ gate ─▶ attempt ─▶ result ──▶ collector ─▶ commit
 *                              ▲                            │
 *                              └────── wait, next one ◀─────┘ failed
 *
 * One engine per thread; several threads and processes share the work by leases.
 */
import { formatId, ID_BYTES } from '../../core/ids.ts';
import { laneFrom } from '../../core/lane.ts';
import { cameInTime, steadyMs } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { SegmentLease } from '../../ports/store-segments.ts';
import { InputWatch } from '../batches/input-lost.ts';
import { Claims } from './claims.ts';
import { entriesOfDoubts } from './line-entry.ts';
import { type FeedHooks, LineFeed } from './line-feed.ts';
import { LineRunner } from './line-runner.ts';
import { OpenBatch } from './open-batch.ts';
import { OpenSegment } from './open-segment.ts';
import { Queues } from './queues.ts';
import { type SendWindow, Windows } from './windows.ts';

/** Results not yet durable would be bought again after a crash: at most so many commits' worth. */
const UNCOMMITTED_PARTS = 2;
/** At a stop, what is there is given this long to become durable. */
const COMMIT_MS = 5_000;

export class Engine {
  readonly token: string;
  private readonly deps: Deps;
  private readonly feeds = new Map<string, LineFeed>();
  private readonly queues: Queues;
  private readonly batches = new Map<string, OpenBatch>();
  private readonly windows: Windows;
  private readonly runner: LineRunner;
  private readonly watch: InputWatch;
  private readonly claims: Claims;
  private stopping = false;
  private parts = 0;
  private idleWaiters: (() => void)[] = [];

  constructor(deps: Deps) {
    this.deps = deps;
    this.watch = new InputWatch(deps);
    this.windows = new Windows(deps.clock, deps.settings.partLines * UNCOMMITTED_PARTS);
    this.token = formatId('req_', deps.random.bytes(ID_BYTES)).slice('req_'.length);
    this.runner = new LineRunner(deps, (name) => this.feeds.get(name));
    this.queues = new Queues(deps, this.feeds, (queue) => this.runner.passOn(queue));
    const hooks = this.hooks();
    for (const [name, gate] of deps.gates) this.feeds.set(name, new LineFeed(deps, gate, hooks));
    this.claims = new Claims(deps, this.token, {
      demand: () => this.queues.demand(),
      open: (leases) => this.openInTurn(leases),
    });
  }

  /** Claims work for every queue with room, and money for batches that wait for it. Resolves when the claim is over, not when the work is. */
  wake(): Promise<void> {
    const now = steadyMs(this.deps.clock);
    for (const batch of this.batches.values()) if (batch.allowance.starves(now)) batch.draw();
    return this.claims.anew().finally(() => this.reportIdle());
  }

  /** Prolongs the leases and learns of cancels, pauses and expiries. Call it every third of a lease, and on nudges. */
  async renew(): Promise<void> {
    if (this.batches.size === 0) return;
    const until = Math.floor(this.deps.clock.now() / 1000) + this.deps.settings.leaseSeconds;
    const leasedUntil = steadyMs(this.deps.clock) + this.deps.settings.leaseSeconds * 1000;
    const held = [...this.batches.values()].flatMap(({ segments }) => [...segments].map(({ lease }) => lease));
    const controls = await this.deps.store.segments.renew(held, until);
    for (const batch of this.batches.values()) {
      if (controls.has(batch.row.id)) batch.allowance.prolong(leasedUntil);
      const control = controls.get(batch.row.id) ?? (await this.deps.store.batches.control(batch.row.id));
      if (control) batch.apply(control, this.deps.settings.drainSeconds * 1000);
    }
    this.settleBatches();
    this.queues.pump();
  }

  /** True when this process holds no work. */
  get idle(): boolean {
    return this.batches.size === 0 && this.claims.idle;
  }

  /** Resolves when there is no work left here, or when `signal` aborts. */
  untilIdle(signal: AbortSignal): Promise<void> {
    if (this.idle || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.idleWaiters.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Sends nothing more, waits for what is in flight (at most the drain time), commits it and gives leases back. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.claims.stop();
    for (const batch of this.batches.values()) for (const segment of batch.segments) segment.closed = true;
    for (const feed of this.feeds.values()) this.runner.forget(feed.withdraw(() => true));
    const deadline = steadyMs(this.deps.clock) + this.deps.settings.drainSeconds * 1000;
    while (this.inFlight > 0 && steadyMs(this.deps.clock) < deadline) await this.deps.clock.sleep(10);
    for (const batch of this.batches.values()) batch.abort.abort();
    while (this.inFlight > 0) await this.deps.clock.sleep(5);
    for (const feed of this.feeds.values()) {
      // What came in meanwhile may wait for others to tell more of it.
      this.runner.forget(feed.withdraw(() => true));
      feed.close();
    }
    await Promise.all([...this.batches.values()].map((batch) => this.closeBatch(batch)));
  }

  get inFlight(): number {
    let count = this.runner.answered.count;
    for (const feed of this.feeds.values()) count += feed.inFlight;
    return count;
  }

  /** Lines per provider that wait to be sent again, for metrics. */
  snapshot(): { provider: string; waiting: number }[] {
    return [...this.feeds].map(([provider, { waiting }]) => ({ provider, waiting }));
  }

  private hooks(): FeedHooks {
    return {
      mayStart: () => this.mayStart(),
      start: (job, feed, slot) => this.runner.start(job, feed, slot),
      reroute: (job, candidate) => this.runner.moveTo(job, candidate),
      takes: (job, index) => {
        const candidate = job.candidates[index];
        return candidate !== undefined && this.feeds.get(candidate.provider)?.takes(job, candidate) === true;
      },
    };
  }

  private mayStart(): boolean {
    if (this.stopping) return false;
    const { uncommitted } = this;
    // Many batches fill the limit with a few results each: none of them waits for a full part then.
    if (uncommitted >= this.deps.settings.partLines) for (const { results } of this.batches.values()) results.hurry();
    return uncommitted < this.maxUncommitted;
  }

  private get uncommitted(): number {
    let count = this.runner.answered.count;
    for (const batch of this.batches.values()) count += batch.results.uncommitted;
    return count;
  }

  private get maxUncommitted(): number {
    return this.deps.settings.partLines * UNCOMMITTED_PARTS;
  }

  private async openInTurn(leases: readonly SegmentLease[]): Promise<void> {
    for (const lease of leases) await this.open(lease);
  }

  private async open(lease: SegmentLease): Promise<void> {
    try {
      const batch = await this.openBatch(lease.batchId);
      const segment = await OpenSegment.open(this.deps, lease, batch, this.windowOf(batch, lease));
      const doubts = entriesOfDoubts(this.deps, await segment.takeDoubts(this.deps));
      // Its other segments may have ended while this one was opened, and the batch with them.
      this.batches.set(batch.row.id, batch);
      batch.segments.add(segment);
      // The first grant is committed before anything is sent, and with it what the last one left in doubt; a segment
      // with nothing left to do ends by it.
      batch.results.requestGrant(segment, doubts);
      this.queues.add(segment);
    } catch (error) {
      this.deps.log.error({ segment: lease.id, error: String(error) }, 'segment cannot be opened');
      // Its lease ends by itself: somebody tries again then, and not in a tight loop.
      await this.watch.note(lease.batchId, error);
    }
  }

  private windowOf(batch: OpenBatch, { lane: index, candidate, queue }: SegmentLease): SendWindow {
    const lane = batch.row.lanes[index];
    const run = lane?.kind === 'run' ? laneFrom(lane, candidate) : null;
    return this.windows.of(queue, () => (run === null ? 0 : this.queues.slots(run)));
  }

  private async openBatch(id: string): Promise<OpenBatch> {
    const open = this.batches.get(id);
    if (open) return open;
    const row = await this.deps.store.batches.get('all', id);
    const input = row && (await this.deps.store.files.getAny(row.inputFileId));
    if (!row || !input) throw new Error(`batch ${id} or its input file is gone`);
    const batch = new OpenBatch(
      this.deps,
      { row, input, budget: await this.deps.limiter.budget(row.keyId), taker: this.token, watch: this.watch },
      () => this.partName(),
      () => this.onCommitted(),
    );
    this.batches.set(id, batch);
    return batch;
  }

  /** Unique for all time, also when a batch leaves this process and comes back to it. */
  private partName(): string {
    return `${this.token}-${String(this.parts++).padStart(8, '0')}`;
  }

  private onCommitted(): void {
    this.settleBatches();
    this.queues.pump();
    this.claims
      .claim()
      .catch((error: unknown) => this.deps.log.error({ error: String(error) }, 'claim failed'))
      .finally(() => this.reportIdle());
  }

  /** Lets go of segments that are done, lost, or stopped with nothing in flight, and of batches without segments. */
  private settleBatches(): void {
    for (const batch of this.batches.values()) {
      if (!batch.running) this.withdraw(batch);
      for (const segment of batch.segments) {
        const finished = segment.remaining === 0;
        const stopped = (segment.closed || !batch.running) && segment.outstanding === 0;
        if (finished || segment.lost || stopped) this.closeSegment(batch, segment, finished || segment.lost);
      }
      if (batch.segments.size === 0) {
        batch.close();
        this.batches.delete(batch.row.id);
        this.deps.nudge('batches');
      }
    }
    this.reportIdle();
  }

  private withdraw(batch: OpenBatch): void {
    for (const feed of this.feeds.values()) {
      this.runner.forget(feed.withdraw((job) => job.segment.batch === batch));
    }
  }

  private closeSegment(batch: OpenBatch, segment: OpenSegment, ended: boolean): void {
    segment.closed = true;
    batch.segments.delete(segment);
    this.queues.remove(segment);
    if (ended) return;
    this.deps.store.segments
      .release([{ id: segment.lease.id, token: segment.lease.token }])
      .then(() => this.deps.nudge())
      .catch((error: unknown) =>
        this.deps.log.warn({ error: String(error) }, 'release failed; the lease ends by itself'),
      );
  }

  private async closeBatch(batch: OpenBatch): Promise<void> {
    // A database that is away must not keep the process: what is not committed is sent again.
    const waitMs = Math.max(COMMIT_MS, this.deps.settings.drainSeconds * 1000);
    const committed = await cameInTime(this.deps.clock, batch.results.drain(), waitMs);
    // To give a lease back is to say that nothing is in doubt: one with results that are not committed ends by itself.
    const held = [...batch.segments].filter((segment) => committed && segment.remaining > 0 && !segment.lost);
    await this.deps.store.segments
      .release(held.map(({ lease }) => ({ id: lease.id, token: lease.token })))
      .catch((error: unknown) =>
        this.deps.log.warn({ error: String(error) }, 'release failed; the leases end by themselves'),
      );
    batch.close();
    this.batches.delete(batch.row.id);
  }

  private reportIdle(): void {
    if (!this.idle) return;
    const waiters = this.idleWaiters;
    this.idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
