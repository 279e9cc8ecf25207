import { steadyMs, unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';

const COUNT_MS = 1_000;
/** Who is not heard of for so many leases is of no interest any more. */
const FORGET_LEASES = 10;

type PresenceDeps = Pick<Deps, 'store' | 'clock' | 'settings' | 'gates' | 'limiter' | 'log'>;

/**
 * Servers on one database divide the bounds among them: each takes one part of as many as are there. One that was killed
 * counts until a lease after it was last heard of; one that stops says so.
 */
export class Presence {
  private readonly deps: PresenceDeps;
  private readonly id: string;
  private readonly onShare: (share: number) => void;
  private servers = 1;
  private countedAt = Number.NEGATIVE_INFINITY;

  /** `onShare`: told of this server's part, 0 to 1, when it is another. */
  constructor(deps: PresenceDeps, id: string, onShare: (share: number) => void = () => undefined) {
    this.deps = deps;
    this.id = id;
    this.onShare = onShare;
  }

  /** Says that this server is there, and counts. Call it at the start, and every third of a lease. */
  async announce(): Promise<void> {
    const now = unixSeconds(this.deps.clock);
    await this.deps.store.servers.announce(this.id, now, now - FORGET_LEASES * this.deps.settings.leaseSeconds);
    await this.count();
  }

  /** Takes the share of this server anew, once a second at most. */
  async look(): Promise<void> {
    if (steadyMs(this.deps.clock) - this.countedAt >= COUNT_MS) await this.count();
  }

  leave(): Promise<void> {
    return this.deps.store.servers.leave(this.id);
  }

  private async count(): Promise<void> {
    const { store, clock, settings, gates, limiter, log } = this.deps;
    this.countedAt = steadyMs(clock);
    const servers = Math.max(1, await store.servers.count(unixSeconds(clock) - settings.leaseSeconds));
    if (servers === this.servers) return;
    log.info({ servers }, 'the bounds are divided among the servers');
    this.servers = servers;
    for (const gate of gates.values()) gate.takeShare(1 / servers);
    limiter.takeShare(1 / servers);
    this.onShare(1 / servers);
  }
}
