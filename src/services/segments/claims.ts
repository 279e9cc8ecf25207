import type { Deps } from '../../ports/deps.ts';
import type { ClaimDemand, SegmentLease } from '../../ports/store-segments.ts';

/** No demand in particular. */
const ANY = 'any';
/** Segments that are claimed together. */
export const CLAIMED_AT_ONCE = 4;
/** Of small batches more are claimed together: as many as have about so many lines, and no more than so many. */
const CLAIMED_LINES = 1_000;
const CLAIMED_SMALL = 32;

interface ClaimHooks {
  /** What more segments are wanted of now. */
  demand(): ClaimDemand;
  /** Opens segments of one batch. Never rejects. */
  open(leases: readonly SegmentLease[]): Promise<void>;
}

/** An engine's claims: one at a time, again while they find what is wanted, and none where one would find nothing. */
export class Claims {
  private readonly deps: Pick<Deps, 'store' | 'clock' | 'settings'>;
  /** Of the engine. */
  private readonly token: string;
  private readonly hooks: ClaimHooks;
  private stopped = false;
  private claiming: Promise<void> | null = null;
  private again = false;
  /**
   * With this demand the last claim found nothing: a nudge, a tick, or another demand are reason to ask again. `ANY`: it
   * was for whatever there is, so that another demand is no reason.
   */
  private dryWithout: string | null = null;
  private count = 0;
  private limit = CLAIMED_AT_ONCE;

  constructor(deps: Pick<Deps, 'store' | 'clock' | 'settings'>, token: string, hooks: ClaimHooks) {
    this.deps = deps;
    this.token = token;
    this.hooks = hooks;
  }

  get idle(): boolean {
    return this.claiming === null;
  }

  /** Claims although the last claim found nothing. */
  anew(): Promise<void> {
    this.dryWithout = null;
    return this.claim();
  }

  /** Claims what is wanted, unless the last claim found nothing of that. Resolves when the claim is over; rejects with the database. */
  claim(): Promise<void> {
    if (this.stopped || this.dryWithout === ANY) return Promise.resolve();
    if (this.dryWithout === JSON.stringify(this.hooks.demand())) return Promise.resolve();
    this.again = true;
    this.claiming ??= this.claimAll().finally(() => {
      this.claiming = null;
    });
    return this.claiming;
  }

  /** Claims no more; resolves when what was claimed is open. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.claiming;
  }

  private async claimAll(): Promise<void> {
    while (this.again && !this.stopped) {
      this.again = false;
      const now = Math.floor(this.deps.clock.now() / 1000);
      const demand = this.hooks.demand();
      const { limit } = this;
      const leases = await this.deps.store.segments.claim({
        now,
        until: now + this.deps.settings.leaseSeconds,
        token: `${this.token}/${this.count++}`,
        limit,
        ...demand,
      });
      this.limit = limitAfter(leases);
      await Promise.all(byBatch(leases).map((of) => this.hooks.open(of)));
      const isForAny = demand.exclude.length + (demand.newcomers?.length ?? 0) === 0;
      if (leases.length < limit && isForAny) this.dryWithout = ANY;
      else if (leases.length > 0) this.again = true;
      else this.dryWithout = JSON.stringify(demand);
    }
  }
}

/** How many segments to claim after these. */
export function limitAfter(leases: readonly SegmentLease[]): number {
  const lines = leases.reduce((sum, lease) => sum + lease.lines, 0);
  // The segments of one batch are for other engines, too.
  if (lines === 0 || byBatch(leases).length < leases.length) return CLAIMED_AT_ONCE;
  const wanted = Math.floor((CLAIMED_LINES * leases.length) / lines);
  return Math.min(CLAIMED_SMALL, Math.max(CLAIMED_AT_ONCE, wanted));
}

/** Segments of one batch share what is open of it: they are opened one after the other. */
function byBatch(leases: readonly SegmentLease[]): SegmentLease[][] {
  return [...Map.groupBy(leases, ({ batchId }) => batchId).values()];
}
