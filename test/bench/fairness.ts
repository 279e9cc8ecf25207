/**
 * Several batches at once: how long 100 lines take beside 20,000, of the same tenant and of another, against the same
 * lines alone; and what a target that hardly answers costs the lines of a fast one.
 *
 *   node test/bench/fairness.ts
 */
import { chatLines, connect, splitConfig, startWeir, submit, waitForBatch } from '../e2e/weir.ts';
import { figure, type GoalRow, report } from './goals.ts';
import { startSimulator } from './simulator.ts';
import { secondsOf, warmUp } from './timed-batch.ts';

const LARGE = 20_000;
const SMALL = 100;
const LATENCY_MS = 20;
const CONCURRENCY = 16;
const FAST_LINES = 10_000;

async function smallBesideLarge(): Promise<GoalRow[]> {
  const server = await startSimulator({ models: ['gpt-4o-mini'], latency_ms: LATENCY_MS });
  const weir = await startWeir(splitConfig([server.baseUrl], [1], { limits: { concurrency: CONCURRENCY } }));
  const other = async () => {
    const body = JSON.stringify({ name: 'other', tenant_id: 'other' });
    return connect(weir.url, (await weir.call<{ secret: string }>('/v1/keys', { method: 'POST', body })).secret);
  };
  try {
    await warmUp(weir, 'split', 1_000);
    const alone = await secondsOf(weir, SMALL, 'split');
    const { id } = await submit(weir, chatLines(LARGE), { config: 'split' });
    await waitForBatch(weir, id, { until: (batch) => (batch.request_counts?.completed ?? 0) > 0 });
    const rows: GoalRow[] = [];
    for (const [whose, owner] of [
      ['another tenant', await other()],
      ['the same tenant', weir],
    ] as const) {
      const seconds = await secondsOf(owner, SMALL, 'split');
      const large = await weir.client.batches.retrieve(id);
      rows.push({
        goal: 3,
        what: `${SMALL} lines beside ${figure(LARGE)} of ${whose}`,
        yardstick: `alone ${alone.toFixed(2)} s`,
        figure: `${seconds.toFixed(2)} s, the others at ${figure(large.request_counts?.completed ?? 0)}`,
        wanted: '≤ 3 ×',
        met: large.status === 'in_progress' && seconds <= 3 * alone,
      });
    }
    await weir.client.batches.cancel(id);
    return rows;
  } finally {
    await weir.stop();
    await server.stop();
  }
}

/** Lines of a fast target, alone and beside a target that takes ten seconds a request with full queues. */
async function slowNeighbour(): Promise<GoalRow> {
  const fast = await startSimulator({ models: ['gpt-4o-mini'], latency_ms: 5 });
  const slow = await startSimulator({ models: ['gpt-4o-mini'], latency_ms: 10_000 });
  const weir = await startWeir({
    ...splitConfig([fast.baseUrl, slow.baseUrl], [1, 1], { limits: { concurrency: 32 } }),
    settings: { drain_seconds: 1 },
  });
  try {
    const [to, away] = ['pool-a', 'pool-b'].map((provider) => ({ provider, model: 'gpt-4o-mini' }));
    await warmUp(weir, to!, 2_000);
    const alone = FAST_LINES / (await secondsOf(weir, FAST_LINES, to!));
    const held = await Promise.all(
      Array.from({ length: 4 }, () => submit(weir, chatLines(2_000), { config: away as object })),
    );
    for (const { id } of held) await waitForBatch(weir, id, { until: (batch) => batch.status === 'in_progress' });
    const beside = FAST_LINES / (await secondsOf(weir, FAST_LINES, to!));
    for (const { id } of held) await weir.client.batches.cancel(id);
    return {
      goal: 3,
      what: 'a fast target beside one of 10 s a request',
      yardstick: `alone ${figure(alone)} req/s`,
      figure: `${(beside / alone).toFixed(2)} × (${figure(beside)} req/s)`,
      wanted: '≥ 0.9 ×',
      met: beside / alone >= 0.9,
    };
  } finally {
    await weir.stop();
    await fast.stop();
    await slow.stop();
  }
}

report([...(await smallBesideLarge()), await slowNeighbour()]);
