import { afterEach, describe, expect, it } from 'vitest';
import type { Provider } from '../../../providers/contract.ts';
import type { ServerLoad } from '../../../src/core/adaptive/load.ts';
import type { Failure } from '../../../src/core/failure.ts';
import type { Candidate } from '../../../src/core/lane.ts';
import { Regions } from '../../../src/core/shared/regions.ts';
import type { Common } from '../../../src/ports/common.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import type { Slot } from '../../../src/ports/gates.ts';
import type { HttpClient } from '../../../src/ports/http-client.ts';
import { DEFAULT_SETTINGS } from '../../../src/ports/settings.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { Budgets } from '../../../src/services/gates/budgets.ts';
import { ProviderGate } from '../../../src/services/gates/gate.ts';
import { LineFeed } from '../../../src/services/segments/line-feed.ts';
import type { Job } from '../../../src/services/segments/work.ts';

const REFUSED: Failure = {
  kind: 'connection',
  status: null,
  code: 'connection',
  message: 'refused',
  param: null,
  type: 'error',
  retryAfterMs: null,
  reachedProvider: false,
};

function job(candidates: number): Job {
  return {
    segment: { lane: { kind: 'run', candidates: [], shared: 1 }, lease: { queue: 'pool' } },
    candidates: Array.from({ length: candidates }, () => ({ enterOn: 'trouble' }) as unknown as Candidate),
    progress: { candidate: 0, tries: 0, pressure: 0 },
    request: { body: {} },
    tokens: 25,
    booking: null,
  } as unknown as Job;
}

function provider(members: string[], limits: Partial<Provider['limits']> = {}): Provider {
  return {
    name: 'pool',
    limits: { concurrency: 4, requestsPerMinute: null, tokensPerMinute: null, adaptive: false, ...limits },
    immediate: { members },
  } as unknown as Provider;
}

describe('a gate', () => {
  const opened: { close(): void }[] = [];
  afterEach(() => {
    for (const each of opened.splice(0)) each.close();
  });

  /** `wall`: what the machine's clock says, where that is not the time that passes. */
  function open(
    of: Provider,
    now: () => number = Date.now,
    wall: () => number = now,
    lateMs: () => number = () => 0,
    common?: Common,
  ) {
    const started: { job: Job; slot: Slot }[] = [];
    const rerouted: Job[] = [];
    const deps = {
      clock: { now: wall, micros: () => now() * 1_000, lateMs, sleep: systemClock.sleep },
      random: { unit: () => 0.5 },
      settings: DEFAULT_SETTINGS,
      common,
    } as unknown as Deps;
    const gate = new ProviderGate(deps, of, new Budgets(of.limits, now()));
    const feed = new LineFeed(deps, gate, {
      mayStart: () => true,
      start: (line, _feed, slot) => started.push({ job: line, slot }),
      reroute: (line) => rerouted.push(line),
      takes: () => false,
    });
    opened.push(feed, gate);
    return { gate, feed, started, rerouted };
  }

  it('gives way to the queue of a server by its own part of it: all engines together leave what the server can run', async () => {
    let time = 0;
    const load: ServerLoad = { running: 8, waiting: 8, cacheUsage: 0.5, promptTokens: null, cachedTokens: null };
    const of = provider(['a'], { concurrency: 64, adaptive: true });
    Object.assign(of.immediate as object, { load: () => Promise.resolve(load) });
    const regions = new Regions(Regions.allocate(), new Uint8Array(8));
    const engines = [0, 1].map((own) => {
      const seat = { own, count: 2, wake: () => undefined };
      const common = { seat, region: (name: string) => regions.get(name), figuresOf: () => [] };
      return open(of, () => time, undefined, undefined, common as unknown as Common);
    });
    for (const { feed } of engines) for (let line = 0; line < 8; line++) feed.enqueue(job(1), 0);
    expect(engines.map(({ started }) => started.length)).toEqual([8, 8]);
    time = 5_000;
    for (const { gate } of engines) await gate.inspect({} as HttpClient, new AbortController().signal);
    expect(engines.map(({ gate }) => gate.figures().members[0]?.limit)).toEqual([4, 4]);
  });

  it('starts a line that comes due while the gate is already looking', async () => {
    let time = 1_000;
    const { feed, started } = open(provider(['a']), () => time++);
    feed.enqueue(job(1), 2);
    await expect.poll(() => started.length).toBe(1);
  });

  it('keeps to its waits and rates when the machine’s clock is set back', async () => {
    let wall = 3_600_000;
    const { gate, feed, started } = open(provider(['a'], { requestsPerMinute: 6_000 }), Date.now, () => wall);
    feed.enqueue(job(1), 5);
    for (let count = 0; count < 101; count++) feed.enqueue(job(1), 0);
    wall = 0;
    const settle = () => {
      for (const { job: line, slot } of started.slice(settled)) {
        settled += 1;
        feed.settle(line, slot, null, null);
      }
      gate.pump();
      return started.length;
    };
    let settled = 0;
    await expect.poll(settle, { interval: 5 }).toBe(102);
  });

  it('never has more in flight than its limit, and goes on when one ends', () => {
    const { gate, feed, started } = open(provider(['a']));
    const jobs = Array.from({ length: 6 }, () => job(1));
    for (const line of jobs) feed.enqueue(line, 0);
    expect(started).toHaveLength(4);
    const first = started[0]!;
    feed.settle(first.job, first.slot, null, null);
    gate.pump();
    expect(started).toHaveLength(5);
    expect(gate.inFlight).toBe(4);
  });

  it('takes the time for which answers waited in this process for no fault of their server', () => {
    const timeline = { nowMs: 1_000, lateMs: 0 };
    const { gate, feed, started } = open(
      provider(['a'], { concurrency: 64, adaptive: true }),
      () => timeline.nowMs,
      () => timeline.nowMs,
      () => timeline.lateMs,
    );
    const usage = { input_tokens: 20, output_tokens: 20 };
    /** Answers everything in flight after `latencyMs`; the limit then. */
    const round = (latencyMs: number): number => {
      timeline.nowMs += latencyMs;
      for (const { job: line, slot } of started.splice(0)) {
        feed.settle(line, slot, null, usage);
        feed.enqueue(job(1), 0);
      }
      gate.pump();
      return gate.figures().members[0]?.limit ?? 0;
    };
    for (let count = 0; count < 64; count++) feed.enqueue(job(1), 0);
    for (let count = 0; count < 40 && round(40) < 64; count++);
    expect(round(40)).toBe(64);
    timeline.lateMs = 120;
    const limits = Array.from({ length: 200 }, () => round(160));
    expect(Math.min(...limits)).toBeGreaterThanOrEqual(38);
    timeline.lateMs = 0;
    const slow = Array.from({ length: 200 }, () => round(160));
    expect(Math.min(...slow)).toBeLessThan(38);
  });

  it('lets so many requests be in flight as its part of the operator’s bound, one at least', () => {
    const { gate, feed, started } = open(provider(['a'], { concurrency: 5 }));
    gate.takeShare(0.5);
    for (let count = 0; count < 8; count++) feed.enqueue(job(1), 0);
    expect([started.length, gate.limit]).toEqual([2, 2]);
    gate.takeShare(0.1);
    expect(gate.limit).toBe(1);
    gate.takeShare(1);
    expect(started).toHaveLength(5);
  });

  it('spreads lines over the members by what they have in flight', () => {
    const { feed, started } = open(provider(['a', 'b']));
    for (let count = 0; count < 4; count++) feed.enqueue(job(1), 0);
    expect(started.map(({ slot }) => slot.member).toSorted()).toEqual(['a', 'a', 'b', 'b']);
  });

  it('sees whether a member is back though requests from before it went hang there', () => {
    let time = 1_000;
    const { gate, feed, started } = open(provider(['a']), () => time);
    for (let line = 0; line < 6; line++) feed.enqueue(job(1), 0);
    for (const { job: line, slot } of started.slice(0, 2)) feed.settle(line, slot, REFUSED, null);
    gate.pump();
    expect(started).toHaveLength(4);
    time += 10_000;
    gate.pump();
    expect(started).toHaveLength(5);
    gate.pump();
    expect(started).toHaveLength(5);
  });

  it('goes on looking after its members beside one that never says how it is', async () => {
    const asked = { hanging: 0, open: 0 };
    const of = provider(['hanging', 'open']);
    const load = ({ member }: { member: string }): Promise<ServerLoad | null> => {
      asked[member as keyof typeof asked] += 1;
      const empty = { running: 3, waiting: 0, cacheUsage: null, promptTokens: null, cachedTokens: null };
      return member === 'open' ? Promise.resolve(empty) : new Promise(() => undefined);
    };
    Object.assign(of.immediate ?? {}, { load });
    const { gate, feed } = open(of);
    feed.enqueue(job(1), 0);
    for (let look = 0; look < 2; look++) await gate.inspect({} as HttpClient, new AbortController().signal);
    expect(asked).toEqual({ hanging: 1, open: 2 });
    expect(gate.figures().members.map((member) => member.load?.running)).toEqual([undefined, 3]);
  });

  it('leaves out a member that refuses connections and uses the others', () => {
    const { feed, started } = open(provider(['a', 'b']));
    for (let count = 0; count < 4; count++) feed.enqueue(job(1), 0);
    for (const { job: line, slot } of started.splice(0))
      feed.settle(line, slot, slot.member === 'a' ? REFUSED : null, null);
    for (let count = 0; count < 4; count++) feed.enqueue(job(1), 0);
    expect(started.map(({ slot }) => slot.member)).toEqual(['b', 'b', 'b', 'b']);
  });

  it('sends lines on when nothing answers, and keeps those that have nowhere to go', () => {
    const { gate, feed, started, rerouted } = open(provider(['a']));
    for (let count = 0; count < 2; count++) feed.enqueue(job(1), 0);
    for (const { job: line, slot } of started.splice(0)) feed.settle(line, slot, REFUSED, null);
    expect(gate.unreachable).toBe(true);
    const spare = job(2);
    feed.enqueue(job(1), 0);
    feed.enqueue(spare, 0);
    expect(rerouted).toEqual([spare]);
    expect(feed.waiting).toBe(1);
    expect(started).toEqual([]);
  });

  it('takes a line for at fault that fails alone for two minutes at a server that does not say how it is', () => {
    let time = 1_000;
    const { gate, feed, started } = open(provider(['a']), () => time);
    const send = (line: Job, failure: Failure | null): boolean | null => {
      feed.enqueue(line, 0);
      gate.pump();
      return feed.settle(line, started.splice(0)[0]!.slot, failure, null);
    };
    const trouble: Failure = { ...REFUSED, kind: 'server_error', status: 500, reachedProvider: true };
    send(job(1), null);
    const last = job(1);
    const passes: boolean[] = [];
    for (; time < 200_000; time += 6_000) passes.push(send(last, trouble) === true);
    // Five in a row are needed, and then it is an outage until two minutes are over.
    expect([passes.indexOf(true), passes.lastIndexOf(true)]).toEqual([4, 19]);
    // Others tell more.
    for (let line = 0; line < 8; line++, time += 6_000) send(job(1), trouble);
    expect(send(last, trouble)).toBe(true);
  });

  it('keeps to its requests per minute', async () => {
    const { feed, started } = open(provider(['a'], { concurrency: 100, requestsPerMinute: 1_200 }));
    const began = Date.now();
    for (let count = 0; count < 30; count++) feed.enqueue(job(1), 0);
    expect(started.length).toBe(20);
    await expect.poll(() => started.length, { timeout: 5_000 }).toBe(30);
    // Ten more at twenty a second; a timer may be late, never early.
    expect(Date.now() - began).toBeGreaterThanOrEqual(450);
  });

  it('gives back the tokens of a request that failed, and never blocks on one that allows a billion', () => {
    let time = 0;
    const { gate, feed, started } = open(provider(['a'], { concurrency: 100, tokensPerMinute: 6_000 }), () => time);
    const huge = job(1);
    huge.tokens = 1e9;
    feed.enqueue(huge, 0);
    feed.enqueue(job(1), 0);
    expect(started).toHaveLength(1);
    feed.settle(huge, started[0]!.slot, { ...REFUSED, kind: 'server_error', status: 500 }, null);
    time += 1;
    gate.pump();
    expect(started).toHaveLength(2);
    feed.enqueue(huge, 0);
    time += 61_000;
    gate.pump();
    expect(started).toHaveLength(3);
  });
});
