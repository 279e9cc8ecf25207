/** Looks after a pool's members, off the way of requests: what their metrics say, their health, and their models. */
import type { Call, Provider } from '../../../providers/contract.ts';
import type { ServerLoad } from '../../core/adaptive/load.ts';
import { mismatchOf, rootsOf } from '../../core/member-health.ts';
import { type Clock, cameInTime } from '../../ports/clock.ts';
import type { HttpClient } from '../../ports/http-client.ts';
import type { Member, Pool } from './pool.ts';

const TIMEOUT_MS = 5_000;
/** A member that hangs does not keep the others from being looked after. */
const WAIT_MS = 1_000;
const ANSWER_BYTES_MAX = 4 * 1024 ** 2;
const IDLE_MS = 15_000;
const HEALTH_MS = 5_000;
const MODELS_MS = 20_000;

export interface Moment {
  /** Unix milliseconds, for what is signed. */
  nowMs: number;
  /** What is due when goes by this. */
  steadyMs: number;
  /** Requests are under way or wait. */
  busy: boolean;
  /** Of what this server has in flight, the part that is this engine's own, 0 to 1. */
  ownPart: number;
}

export class Inspection {
  private readonly clock: Pick<Clock, 'sleep'>;
  private readonly provider: Provider;
  private readonly pool: Pool;
  private loadAt = Number.NEGATIVE_INFINITY;
  private healthAt = Number.NEGATIVE_INFINITY;
  private modelsAt = Number.NEGATIVE_INFINITY;
  /** Members whose metrics, or word of their health, are on their way: who hangs is asked once, and fails once. */
  private readonly loading = new Set<Member>();
  private readonly checking = new Set<Member>();
  /** Members that were away since their models were known: they may come back with others. */
  private readonly unsure = new Set<Member>();
  private comparing: Promise<void> | null = null;
  private roots: ReadonlyMap<string, string> = new Map();

  constructor(clock: Pick<Clock, 'sleep'>, provider: Provider, pool: Pool) {
    this.clock = clock;
    this.provider = provider;
    this.pool = pool;
  }

  /** Asks what is due to be asked. Resolves when all have answered, or after a moment; never rejects. */
  async look(http: HttpClient, signal: AbortSignal, { nowMs, steadyMs, busy, ownPart }: Moment): Promise<void> {
    const { immediate } = this.provider;
    if (!immediate) return;
    const call = (member: Member): Call => ({
      http,
      member: member.url,
      timeoutMs: TIMEOUT_MS,
      maxResponseBytes: ANSWER_BYTES_MAX,
      nowMs,
      signal,
    });
    const asked: Promise<void>[] = [];
    if (immediate.load && (busy || steadyMs - this.loadAt >= IDLE_MS)) {
      this.loadAt = steadyMs;
      const load = immediate.load;
      asked.push(
        ...this.pool.members
          .filter((member) => !this.loading.has(member))
          .map(async (member) => {
            this.loading.add(member);
            member.load = await load(call(member)).finally(() => this.loading.delete(member));
            if (member.load === null) return;
            member.adaptive?.observed(partOf(member.load, ownPart), member.inFlight, steadyMs);
          }),
      );
    }
    if (immediate.healthy && steadyMs - this.healthAt >= this.healthEveryMs(busy)) {
      this.healthAt = steadyMs;
      asked.push(
        ...this.pool.members
          .filter((member) => !this.checking.has(member))
          .map((member) => {
            this.checking.add(member);
            return this.check(member, call, steadyMs).finally(() => this.checking.delete(member));
          }),
      );
    }
    if (immediate.served && steadyMs - this.modelsAt >= MODELS_MS) {
      this.modelsAt = steadyMs;
      asked.push(this.compareModels(call));
    }
    await cameInTime(this.clock, Promise.allSettled(asked), WAIT_MS);
  }

  private healthEveryMs(busy: boolean): number {
    const { members } = this.pool;
    if (members.some(({ health }) => health.inDoubt)) return 0;
    // Whether it is out, or the requests are at fault, is what lines wait to know.
    if (members.some(({ health, outage }) => outage.since !== null && !health.wasWellSince(outage.since))) return 0;
    return busy || members.some(({ health }) => health.state !== 'healthy') ? HEALTH_MS : IDLE_MS;
  }

  /** Asks a member how it is; one that comes back takes no requests before its models are known. */
  private async check(member: Member, call: (member: Member) => Call, steadyMs: number): Promise<void> {
    if (member.breaker.unreachable) this.unsure.add(member);
    const isWell = (await this.provider.immediate?.healthy?.(call(member))) === true;
    if (!isWell) this.unsure.add(member);
    // A comparison that was under way may have asked it too early.
    for (let times = 0; isWell && this.unsure.has(member) && times < 2; times++) await this.compareModels(call);
    if (isWell) this.unsure.delete(member);
    member.health.checked(isWell, steadyMs);
  }

  private compareModels(call: (member: Member) => Call): Promise<void> {
    this.comparing ??= this.compare(call).finally(() => {
      this.comparing = null;
    });
    return this.comparing;
  }

  private async compare(call: (member: Member) => Call): Promise<void> {
    const { members } = this.pool;
    const served = this.provider.immediate?.served;
    if (!served) return;
    const lists = await Promise.all(members.map((member) => served(call(member))));
    const known = lists.filter((list) => list !== null);
    this.roots = rootsOf(known, this.roots);
    for (const [index, member] of members.entries()) {
      const list = lists[index];
      // One that does not tell is not known to be wrong, but one that was goes on being so.
      if (list == null) continue;
      this.unsure.delete(member);
      member.health.modelsChecked(mismatchOf(list, this.provider.models, this.roots));
    }
  }
}

/** Engines that see the same queue each give way by their part of it: each by all of it would leave the server idle. */
function partOf({ running, waiting, ...rest }: ServerLoad, part: number): ServerLoad {
  const scaled = (count: number | null): number | null => count && Math.ceil(count * part);
  return { ...rest, running: scaled(running), waiting: scaled(waiting) };
}
