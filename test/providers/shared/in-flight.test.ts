import { afterEach, describe, expect, it } from 'vitest';
import { InFlight } from '../../../providers/shared/in-flight.ts';
import { until } from '../scripted-server.ts';

/** A call that ends when its time is up, and takes `others` with it. */
class Call {
  place = 0;
  expiresAt = 0;
  others: Call[] = [];
  expiredAt: number | null = null;
  readonly calls: InFlight<Call>;

  constructor(calls: InFlight<Call>) {
    this.calls = calls;
  }

  expire(): void {
    if (this.expiredAt !== null) return;
    this.expiredAt = performance.now();
    this.calls.remove(this);
    for (const other of this.others) other.expire();
  }
}

describe('the calls in flight', () => {
  const calls = new InFlight<Call>();
  afterEach(() => calls.stop());

  it('are those that were added and not removed, in whatever order they end', () => {
    const all = Array.from({ length: 50 }, () => new Call(calls));
    for (const call of all) calls.add(call, 60_000);
    const left = new Set(all);
    for (const at of [49, 0, 25, 1, 48, 24, 26, 2]) {
      calls.remove(all[at] as Call);
      left.delete(all[at] as Call);
      expect(new Set(calls.all())).toEqual(left);
    }
    for (const call of [...left]) calls.remove(call);
    expect(calls.all()).toEqual([]);
  });

  it('end when their time is up, no sooner, each once, also where one ends another', async () => {
    const all = [150, 30, 60_000, 120, 30, 60_000].map((timeoutMs) => {
      const call = new Call(calls);
      calls.add(call, timeoutMs);
      return call;
    });
    const [, first, long, , , last] = all as [Call, Call, Call, Call, Call, Call];
    // Ends together with the first one, though it has a minute left.
    first.others = [last];
    await until(() => calls.all().length === 1);
    expect(calls.all()).toEqual([long]);
    expect(last.expiredAt).not.toBeNull();
    for (const call of all) {
      if (call === long || call === last) continue;
      expect(call.expiredAt).toBeGreaterThanOrEqual(call.expiresAt);
    }
  });
});
