import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Presence } from '../../../src/services/servers/presence.ts';
import { type Harness, openHarness } from '../../http/harness.ts';

/** A server's own part of what it divides, on the store of all. */
function server(harness: Harness, id: string) {
  const shares: number[] = [];
  const takeShare = (share: number): void => {
    shares.push(share);
  };
  const deps = {
    ...harness.deps,
    gates: new Map([['pool', { takeShare }]]),
    limiter: { ...harness.deps.limiter, takeShare },
  } as unknown as Harness['deps'];
  return { shares, presence: new Presence(deps, id) };
}

describe('servers on one database', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await openHarness();
  });
  afterEach(() => harness.close());

  const later = (seconds: number): void => {
    harness.time.nowMs += seconds * 1000;
  };

  it('divide the rates among those that are there, and take over those of one that stopped or was killed', async () => {
    const { leaseSeconds } = harness.deps.settings;
    const one = server(harness, 'one');
    const two = server(harness, 'two');
    await one.presence.announce();
    expect(one.shares).toEqual([]);
    await two.presence.announce();
    expect(two.shares).toEqual([0.5, 0.5]);
    // The first one learns of it with its next look.
    later(1);
    await one.presence.look();
    expect(one.shares).toEqual([0.5, 0.5]);
    const three = server(harness, 'three');
    await three.presence.announce();
    expect(three.shares).toEqual([1 / 3, 1 / 3]);
    await three.presence.leave();
    later(1);
    await one.presence.look();
    await two.presence.look();
    expect(one.shares).toEqual([0.5, 0.5]);

    // The second one is killed: it counts for a lease.
    later(leaseSeconds - 3);
    await one.presence.announce();
    expect(one.shares).toEqual([0.5, 0.5]);
    later(2);
    await one.presence.look();
    expect(one.shares).toEqual([0.5, 0.5, 1, 1]);
  });

  it('look once a second at most, and keep what they had while the database is away', async () => {
    const one = server(harness, 'one');
    const two = server(harness, 'two');
    await one.presence.announce();
    await two.presence.announce();
    await one.presence.look();
    expect(one.shares).toEqual([]);
    await harness.deps.store.close();
    later(2);
    await expect(one.presence.look()).rejects.toThrow();
    expect(one.shares).toEqual([]);
    expect(two.shares).toEqual([0.5, 0.5]);
  });
});
