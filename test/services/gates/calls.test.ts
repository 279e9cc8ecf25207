import { afterEach, describe, expect, it } from 'vitest';
import type { Provider } from '../../../providers/contract.ts';
import { type Failure, refusal } from '../../../src/core/failure.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import type { Admission, Ask, Feed, Gate, Permit, Slot } from '../../../src/ports/gates.ts';
import { DEFAULT_SETTINGS } from '../../../src/ports/settings.ts';
import { openGates } from '../../../src/services/gates/open-gates.ts';

const LINE_TOKENS = 10;
const refused: Failure = refusal('connection', 'connection', 'pool: no connection (X).');
const busy: Failure = { ...refusal('rate_limited', 'rate_limit', 'busy'), status: 429, reachedProvider: true };

const used = (usedTokens: number, outputTokens = 0) => ({ model: 'm', usedTokens, outputTokens });

/** A feed with as many lines as wanted, each of ten tokens. */
class Lines implements Feed {
  readonly hasParticular = false;
  sent: Slot[] = [];
  prompts: string[] = [];
  detours = 0;
  left: number;

  constructor(left: number) {
    this.left = left;
  }

  mayStart(): boolean {
    return true;
  }

  take(): boolean {
    this.left -= 1;
    return this.left >= 0;
  }

  prompt(): string {
    return this.prompts[this.sent.length % this.prompts.length] ?? '';
  }

  start(slot: Slot): number {
    this.sent.push(slot);
    return LINE_TOKENS;
  }

  detour(): void {
    this.detours += 1;
  }
}

describe('calls at a gate', () => {
  const gates: Gate[] = [];
  afterEach(() => {
    for (const gate of gates.splice(0)) gate.close();
  });

  function open(limits: Partial<Provider['limits']>, lines = 0, members = ['a']) {
    const time = { ms: 1_000_000 };
    const provider = {
      name: 'pool',
      limits: { concurrency: 4, requestsPerMinute: null, tokensPerMinute: null, adaptive: false, ...limits },
      immediate: { members },
    } as unknown as Provider;
    const gate = openGates({
      clock: { now: () => time.ms, micros: () => time.ms * 1_000 } as Deps['clock'],
      random: { unit: () => 0.5 } as Deps['random'],
      settings: DEFAULT_SETTINGS,
      log: {} as Deps['log'],
      providers: new Map([['pool', provider]]),
    }).get('pool')!;
    gates.push(gate);
    const feed = new Lines(lines);
    gate.attach(feed);
    const ask = async (changes: Partial<Ask> = {}) => gate.acquire({ tokens: 10, maxWaitMs: 5_000, ...changes });
    return { gate, feed, time, ask };
  }

  async function admitted(admission: Promise<Admission>): Promise<Permit> {
    const answer = await admission;
    if (!answer.ok) throw new Error(answer.failure.message);
    return answer.permit;
  }

  it('share the slots of batch lines and go before them', async () => {
    const { gate, feed, ask } = open({ concurrency: 2 }, 10);
    gate.pump();
    expect(feed.sent).toHaveLength(2);
    const call = admitted(ask());
    expect(gate.callsWaiting).toBe(1);
    gate.settle(feed.sent[0]!, null, used(5, 1));
    gate.pump();
    const permit = await call;
    expect(permit.member).toBe('a');
    expect(feed.sent).toHaveLength(2);
    expect(gate.inFlight).toBe(2);
    permit.settle(null, used(5));
    permit.settle(null, used(5));
    expect(feed.sent).toHaveLength(3);
    expect(gate.inFlight).toBe(2);
  });

  it('take their turns in order, and leave when their client does', async () => {
    const { gate, ask } = open({ concurrency: 1 });
    const first = await admitted(ask());
    const gone = new AbortController();
    const second = ask({ signal: gone.signal });
    const third = admitted(ask());
    gone.abort();
    expect(await second).toMatchObject({ ok: false, failure: { kind: 'interrupted', reachedProvider: false } });
    expect(await ask({ signal: gone.signal })).toMatchObject({ ok: false, failure: { kind: 'interrupted' } });
    first.settle(null, used(0));
    (await third).settle(null, used(0));
    expect(gate.inFlight).toBe(0);
  });

  it('hear at once when a budget will not let them through in time, with the time to wait', async () => {
    const { ask } = open({ requestsPerMinute: 60 });
    await admitted(ask());
    expect(await ask({ maxWaitMs: 100 })).toMatchObject({
      ok: false,
      failure: { kind: 'overloaded', retryAfterMs: 1_000, status: null },
    });
  });

  it('are refused when their time is over and no slot came free', async () => {
    const { gate, time, ask } = open({ concurrency: 1 });
    await admitted(ask());
    const late = ask({ maxWaitMs: 50 });
    time.ms += 50;
    gate.pump();
    expect(await late).toMatchObject({ ok: false, failure: { kind: 'overloaded' } });
    expect(gate.callsWaiting).toBe(0);
  });

  it('wait for the token budget as lines do, and give back what they did not use', async () => {
    const { gate, feed, time, ask } = open({ tokensPerMinute: 6_000 }, 1);
    const permit = await admitted(ask({ tokens: 1e9 }));
    gate.pump();
    expect(feed.sent).toHaveLength(0);
    permit.settle(null, used(50));
    time.ms += 1;
    gate.pump();
    expect(feed.sent).toHaveLength(1);
  });

  it('do not wait for a provider where nothing answers, and feed its breaker as lines do', async () => {
    const { gate, feed, ask } = open({}, 0, ['a', 'b']);
    for (let count = 0; count < 4; count++) (await admitted(ask())).settle(refused, used(0));
    expect(gate.unreachable).toBe(true);
    const told = {
      kind: 'connection',
      reachedProvider: false,
      message: expect.stringContaining('(no connection (X))'),
    };
    expect(await ask()).toMatchObject({ ok: false, failure: told });
    expect(gate.figures().members[0]?.healthReason).toBe('its requests fail (no connection (X))');
    expect(feed.detours).toBeGreaterThan(0);
  });

  it('are told how long a pool under pressure pauses', async () => {
    const { ask } = open({});
    for (let count = 0; count < 5; count++) (await admitted(ask())).settle({ ...busy, retryAfterMs: 30_000 }, used(0));
    expect(await ask()).toMatchObject({ ok: false, failure: { kind: 'overloaded', retryAfterMs: 30_000 } });
  });

  it('leave batch lines nine tenths of the slots for a while', async () => {
    const { gate, feed, time, ask } = open({ concurrency: 20 }, 100);
    const permit = await admitted(ask());
    gate.pump();
    expect(gate.inFlight).toBe(18);
    permit.settle(null, used(5));
    expect(gate.inFlight).toBe(18);
    await admitted(ask());
    await admitted(ask());
    expect(gate.inFlight).toBe(20);
    time.ms += 10_001;
    gate.settle(feed.sent[0]!, null, used(5, 1));
    gate.pump();
    expect(gate.inFlight).toBe(20);
  });

  it('share requests a minute with the other providers of their account, by the tightest limit', async () => {
    const provider = (name: string, requestsPerMinute: number | null) =>
      ({
        name,
        account: 'ours',
        limits: { concurrency: 100, requestsPerMinute, tokensPerMinute: null },
        immediate: { members: ['a'] },
      }) as unknown as Provider;
    const both = openGates({
      clock: { now: () => 0, micros: () => 0 } as unknown as Deps['clock'],
      random: { unit: () => 0.5 } as Deps['random'],
      settings: DEFAULT_SETTINGS,
      log: {} as Deps['log'],
      providers: new Map([
        ['one', provider('one', 600)],
        ['two', provider('two', null)],
      ]),
    });
    gates.push(...both.values());
    for (const gate of both.values()) gate.takeShare(0.5);
    const ask = async (name: string) => both.get(name)!.acquire({ tokens: 1, maxWaitMs: 50 });
    const answers = [];
    for (let count = 0; count < 3; count++) answers.push(await ask('one'), await ask('two'));
    // Half of 600 a minute, of which a second's worth at once.
    expect(answers.map(({ ok }) => ok)).toEqual([true, true, true, true, true, false]);
  });

  it('leave lines that begin alike on one member while it is not overloaded', () => {
    const provider = {
      name: 'pool',
      limits: { concurrency: 40, requestsPerMinute: null, tokensPerMinute: null, adaptive: false },
      immediate: { members: ['a', 'b', 'c', 'd'], prefixCache: true },
    } as unknown as Provider;
    const deps = {
      clock: { now: () => 0, micros: () => 0 } as unknown as Deps['clock'],
      random: { unit: () => 0.5 } as Deps['random'],
      settings: DEFAULT_SETTINGS,
      log: {} as Deps['log'],
      providers: new Map([['pool', provider]]),
    };
    const membersOf = (prompts: string[]) => {
      const gate = openGates(deps).get('pool')!;
      gates.push(gate);
      const lines = new Lines(40);
      lines.prompts = prompts.map((prompt) => prompt.repeat(100));
      gate.attach(lines);
      gate.pump();
      return lines.sent.map(({ member }) => member);
    };
    const grouped = membersOf(['group one', 'group two', 'group 3', 'group 4']);
    for (let group = 0; group < 4; group++) {
      const own = grouped.filter((_, index) => index % 4 === group);
      expect(new Set(own).size).toBe(1);
    }
    const alike = membersOf(['all the same']);
    for (const member of ['a', 'b', 'c', 'd']) {
      expect(alike.filter((each) => each === member).length).toBeLessThanOrEqual(Math.ceil(1.25 * 10));
    }
  });

  it('are refused when the process stops', async () => {
    const { gate, ask } = open({ concurrency: 1 });
    await admitted(ask());
    const waiting = ask();
    gate.close();
    expect(await waiting).toMatchObject({ ok: false, failure: { code: 'server_stopping' } });
    expect(await ask()).toMatchObject({ ok: false, failure: { code: 'server_stopping' } });
  });
});
