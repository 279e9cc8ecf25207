/**
 * Finding an unknown capacity: a server with 64 slots behind a limit of 512, which queues what is too much and never
 * errs; then it drops to 16 slots without a word, then it has 64 again.
 *
 *   node test/bench/convergence.ts
 */
import { chatLines, splitConfig, startWeir, submit } from '../e2e/weir.ts';
import { type GoalRow, report } from './goals.ts';
import { startSimulator } from './simulator.ts';

const LATENCY_MS = 100;
const SLOTS = 64;
const FEWER = 16;
const PHASE_MS = 18_000;
const LOOK_MS = 250;
/** Rates are taken over so many looks. */
const SPAN = 4;

interface Look {
  atMs: number;
  answered: number;
  /** Requests at the server, also those that wait there. */
  inside: number;
}

const simulator = await startSimulator({ models: ['gpt-4o-mini'], latency_ms: LATENCY_MS, slots: SLOTS });
const controls = simulator.baseUrl.replace(/\/v1$/, '/__control');
const weir = await startWeir(splitConfig([simulator.baseUrl], [1], { limits: { concurrency: 512 } }));

async function look(startedAt: number): Promise<Look> {
  const counters = (await (await fetch(`${controls}/counters`)).json()) as {
    by_status: Record<string, number>;
    running: number;
    waiting: number;
  };
  const { by_status: byStatus, running, waiting } = counters;
  return { atMs: performance.now() - startedAt, answered: byStatus['200'] ?? 0, inside: running + waiting };
}

/** Looks at the server for one phase with this many slots. */
async function phase(slots: number): Promise<Look[]> {
  await fetch(`${controls}/configure`, { method: 'POST', body: JSON.stringify({ slots }) });
  const startedAt = performance.now();
  const looks: Look[] = [];
  while (performance.now() - startedAt < PHASE_MS) {
    looks.push(await look(startedAt));
    await new Promise((wake) => setTimeout(wake, LOOK_MS));
  }
  return looks;
}

const rateAt = (looks: readonly Look[], index: number): number => {
  const [from, to] = [looks[index - SPAN], looks[index]];
  return from && to ? ((to.answered - from.answered) * 1000) / (to.atMs - from.atMs) : 0;
};

/** Seconds until `holds` is true and stays so for a second; null when it never does. */
function secondsUntil(looks: readonly Look[], holds: (index: number) => boolean): number | null {
  const index = looks.findIndex(
    (_, at) => at >= SPAN && at + SPAN <= looks.length && [0, 1, 2, 3].every((n) => holds(at + n)),
  );
  return index < 0 ? null : (looks[index]?.atMs ?? 0) / 1000;
}

const fullFrom = (looks: readonly Look[], slots: number): number | null =>
  secondsUntil(looks, (index) => rateAt(looks, index) >= (0.9 * slots * 1000) / LATENCY_MS);

/** By Little's law, the time that a request spends at the server. */
const latencyFrom = (looks: readonly Look[]): number | null =>
  secondsUntil(looks, (index) => ((looks[index]?.inside ?? 0) / rateAt(looks, index)) * 1000 <= 1.5 * LATENCY_MS);

function row(what: string, yardstick: string, seconds: number | null, most: number): GoalRow {
  return {
    goal: 5,
    what,
    yardstick,
    figure: seconds === null ? `not within ${PHASE_MS / 1000} s` : `after ${seconds.toFixed(1)} s`,
    wanted: `≤ ${most} s`,
    met: seconds !== null && seconds <= most,
  };
}

try {
  // More than can be done in all phases.
  const lines = Math.ceil((3 * PHASE_MS * SLOTS) / LATENCY_MS);
  await submit(weir, chatLines(lines), { config: 'split' });
  const first = await phase(SLOTS);
  const fewer = await phase(FEWER);
  const again = await phase(SLOTS);
  report([
    row(
      `0.9 of ${SLOTS} unknown slots in use`,
      `capacity ${(SLOTS * 1000) / LATENCY_MS} req/s`,
      fullFrom(first, SLOTS),
      10,
    ),
    row(`silent drop to ${FEWER} slots: latency ≤ 1.5 × ideal`, `ideal ${LATENCY_MS} ms`, latencyFrom(fewer), 5),
    row(`back to ${SLOTS}: 0.9 in use`, `capacity ${(SLOTS * 1000) / LATENCY_MS} req/s`, fullFrom(again, SLOTS), 10),
  ]);
} finally {
  await weir.stop();
  await simulator.stop();
}
