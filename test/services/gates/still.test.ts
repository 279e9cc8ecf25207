import { expect, it } from 'vitest';
import type { Provider } from '../../../providers/contract.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import type { HttpClient } from '../../../src/ports/http-client.ts';
import { DEFAULT_SETTINGS } from '../../../src/ports/settings.ts';
import { Budgets } from '../../../src/services/gates/budgets.ts';
import { ProviderGate } from '../../../src/services/gates/gate.ts';

const LATENCY_MS = 100;
const SLOTS = 64;

it('gives calls that wait the room that a pool got back, as soon as it would give it to lines', async () => {
  const time = { ms: 1_000_000 };
  const provider = {
    name: 'pool',
    limits: { concurrency: 256, requestsPerMinute: null, tokensPerMinute: null, adaptive: true },
    immediate: { members: ['a'] },
  } as unknown as Provider;
  const deps = {
    clock: { now: () => time.ms, micros: () => time.ms * 1_000, sleep: () => Promise.resolve() },
    random: { unit: () => 0.5 },
    settings: DEFAULT_SETTINGS,
  } as unknown as Deps;
  const gate = new ProviderGate(deps, provider, new Budgets(provider.limits, time.ms));
  let slots = SLOTS;
  const queue: (() => void)[] = [];
  const running: { at: number; end: () => void }[] = [];
  const serve = () => {
    while (running.length < slots && queue.length > 0) {
      running.push({ at: time.ms + LATENCY_MS, end: queue.shift()! });
    }
  };
  const ask = async () => {
    const admission = await gate.acquire({ tokens: 10, maxWaitMs: 600_000 });
    if (admission.ok) queue.push(() => admission.permit.settle(null, { model: 'm', usedTokens: 60, outputTokens: 50 }));
  };
  const pass = async (ms: number) => {
    for (const until = time.ms + ms; time.ms < until; time.ms += 10) {
      // Always more calls than the pool can take: some of them wait.
      while (gate.callsWaiting < 20) void ask();
      for (const due of running.splice(0)) {
        if (due.at <= time.ms) due.end();
        else running.push(due);
      }
      await Promise.resolve();
      serve();
      if (time.ms % 2_000 === 0) await gate.inspect({} as HttpClient, new AbortController().signal);
    }
  };
  await pass(10_000);
  expect(gate.room).toBeGreaterThanOrEqual(SLOTS - 4);
  slots = 8;
  await pass(10_000);
  expect(gate.room).toBeLessThan(SLOTS / 2);
  slots = SLOTS;
  await pass(25_000);
  expect(gate.room).toBeGreaterThanOrEqual(SLOTS - 12);
  gate.close();
});
