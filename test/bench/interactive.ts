/**
 * What a batch costs those who wait for an answer: synchronous calls through Weir to a pool of 64 slots, alone and beside
 * a batch that could fill the pool many times. The pool's size is not told to Weir.
 *
 *   node test/bench/interactive.ts
 */
import { chatLines, startWeir, submit, type Weir } from '../e2e/weir.ts';
import { figure, report } from './goals.ts';
import { startSimulator } from './simulator.ts';
import { printTable } from './table.ts';

const SLOTS = 64;
const LATENCY = { min: 150, max: 250 };
const CALLS_PER_SECOND = 30;
const WARM_MS = 12_000;
const MEASURE_MS = 15_000;

async function callsFor(weir: Weir, ms: number): Promise<number[]> {
  const latencies: number[] = [];
  const calls: Promise<void>[] = [];
  const until = performance.now() + ms;
  while (performance.now() < until) {
    const started = performance.now();
    const call = weir.call('/v1/chat/completions', {
      method: 'POST',
      body: JSON.stringify({ model: 'pool/sim-small', messages: [{ role: 'user', content: 'now' }], max_tokens: 64 }),
    });
    calls.push(
      call.then(() => {
        latencies.push(performance.now() - started);
      }),
    );
    await new Promise((wake) => setTimeout(wake, 1000 / CALLS_PER_SECOND));
  }
  await Promise.all(calls);
  return latencies.toSorted((a, b) => a - b);
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function answered(baseUrl: string): Promise<number> {
  const text = await (await fetch(baseUrl.replace(/v1$/, 'metrics'))).text();
  return [...text.matchAll(/^vllm:request_success_total\S* (\S+)/gm)].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
}

const server = await startSimulator({ latency_ms: LATENCY, slots: SLOTS });
const weir = await startWeir({
  providers: {
    pool: {
      kind: 'vllm',
      base_urls: [server.baseUrl],
      models: ['sim-small'],
      limits: { concurrency: 512 },
      price: { input: 0.1, output: 0.4 },
    },
  },
});
try {
  await callsFor(weir, 2_000);
  const alone = await callsFor(weir, MEASURE_MS);
  const lines = chatLines(15_000, () => ({ model: 'pool/sim-small' }));
  const batch = await submit(weir, lines);
  await callsFor(weir, WARM_MS);
  const before = await answered(server.baseUrl);
  const started = performance.now();
  const beside = await callsFor(weir, MEASURE_MS);
  const perSecond = ((await answered(server.baseUrl)) - before) / ((performance.now() - started) / 1000);
  const full = (perSecond * (LATENCY.min + LATENCY.max)) / 2 / 1000 / SLOTS;
  const row = (name: string, latencies: readonly number[], fullness: string): string[] => [
    name,
    at(latencies, 0.5).toFixed(0),
    at(latencies, 0.99).toFixed(0),
    (at(latencies, 0.99) / at(alone, 0.99)).toFixed(2),
    fullness,
  ];
  printTable(
    ['calls', 'p50 ms', 'p99 ms', 'ratio', 'pool full'],
    [row('alone', alone, '–'), row('beside a batch', beside, full.toFixed(2))],
  );
  const ratio = at(beside, 0.99) / at(alone, 0.99);
  report([
    {
      goal: 13,
      what: `calls beside a batch, ${SLOTS} slots`,
      yardstick: `p99 alone ${figure(at(alone, 0.99))} ms`,
      figure: `${ratio.toFixed(2)} ×, pool ${full.toFixed(2)} full`,
      wanted: '≤ 1.3 ×, pool ≥ 0.85 full',
      met: ratio <= 1.3 && full >= 0.85,
    },
  ]);
  await weir.client.batches.cancel(batch.id);
} finally {
  await weir.stop();
  await server.stop();
}
