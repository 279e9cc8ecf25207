import { afterEach, describe, expect, it } from 'vitest';
import type { Provider } from '../../../providers/contract.ts';
import type { Failure } from '../../../src/core/failure.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import type { Feed, Slot } from '../../../src/ports/gates.ts';
import { DEFAULT_SETTINGS } from '../../../src/ports/settings.ts';
import { Budgets } from '../../../src/services/gates/budgets.ts';
import { ProviderGate } from '../../../src/services/gates/gate.ts';

const GROUPS = 12;
const GONE: Failure = {
  kind: 'connection',
  status: null,
  code: 'connection_error',
  message: 'pool: refused.',
  param: null,
  type: 'server_error',
  retryAfterMs: null,
  reachedProvider: false,
};

interface End {
  slot: Slot;
  at: number;
}

/** Lines of groups that begin alike, in an order as of a shuffled file. */
class Grouped implements Feed {
  readonly hasParticular = false;
  readonly started: { slot: Slot; group: number }[] = [];
  private taken = 0;

  mayStart(): boolean {
    return true;
  }

  take(): boolean {
    this.taken += 1;
    return true;
  }

  private get group(): number {
    return (this.taken * 7 + Math.floor(this.taken / GROUPS)) % GROUPS;
  }

  prompt(): string {
    return `Document ${this.group}. `.repeat(100);
  }

  start(slot: Slot): number {
    this.started.push({ slot, group: this.group });
    return 10;
  }

  detour(): void {}
}

describe('lines that begin alike', () => {
  const gates: ProviderGate[] = [];
  afterEach(() => {
    for (const gate of gates.splice(0)) gate.close();
  });

  /**
   * Sends lines to members that work on so many at once, half a second each, of which `gone` refuses connections. The share of
   * the lines of the last half that went where the one before of their group did, and the part of them that each member had.
   */
  function run({ slots, gone, adaptive }: { slots: Record<string, number>; gone?: string; adaptive: boolean }) {
    const time = { ms: 1_000_000 };
    const provider = {
      name: 'pool',
      limits: { concurrency: adaptive ? 200 : 24, requestsPerMinute: null, tokensPerMinute: null, adaptive },
      immediate: { members: Object.keys(slots), prefixCache: true },
    } as unknown as Provider;
    const deps = {
      clock: { now: () => time.ms, micros: () => time.ms * 1_000 },
      random: { unit: () => 0.5 },
      settings: DEFAULT_SETTINGS,
    } as unknown as Deps;
    const gate = new ProviderGate(deps, provider, new Budgets(provider.limits, time.ms));
    gates.push(gate);
    const feed = new Grouped();
    gate.attach(feed);
    const servers = new Map(Object.keys(slots).map((name) => [name, { queue: [] as Slot[], ends: [] as End[] }]));
    let seen = 0;
    for (const until = time.ms + 60_000; time.ms < until; time.ms += 10) {
      gate.pump();
      for (; seen < feed.started.length; seen++) {
        const { slot } = feed.started[seen]!;
        servers.get(slot.member)!.queue.push(slot);
      }
      for (const [name, server] of servers) {
        while (server.queue.length > 0 && server.ends.length < slots[name]!) {
          // Equal members do not end in step.
          server.ends.push({
            slot: server.queue.shift()!,
            at: time.ms + (name === gone ? 0 : 400 + ((seen * 37) % 200)),
          });
        }
        for (const end of server.ends.splice(0)) {
          if (end.at > time.ms) server.ends.push(end);
          else gate.settle(end.slot, name === gone ? GONE : null, { model: 'm', usedTokens: 60, outputTokens: 50 });
        }
      }
    }
    const lines = feed.started.slice(feed.started.length / 2).filter(({ slot }) => slot.member !== gone);
    const last = new Map<number, string>();
    let together = 0;
    for (const { slot, group } of lines) {
      if (last.get(group) === slot.member) together += 1;
      last.set(group, slot.member);
    }
    const partOf = (member: string) => lines.filter(({ slot }) => slot.member === member).length / lines.length;
    return { together: together / lines.length, partOf };
  }

  it('stay together on the members that are left when one is gone', () => {
    const { together, partOf } = run({ slots: { a: 24, b: 24, c: 24 }, gone: 'c', adaptive: false });
    expect(together).toBeGreaterThan(0.8);
    for (const member of ['a', 'b']) expect(partOf(member)).toBeGreaterThan(0.4);
  });

  it('stay together on members of which one can take three times as much, and fill them', () => {
    const { together, partOf } = run({ slots: { a: 36, b: 12 }, adaptive: true });
    expect(together).toBeGreaterThan(0.8);
    expect(partOf('a')).toBeGreaterThan(0.6);
  });
});
