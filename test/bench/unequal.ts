/**
 * Two targets of different speed that share one batch: by requests the slower one decides, by capacity each takes what it
 * can. The yardstick is the sum of what both could do. Weir runs in a process of its own.
 *
 *   node test/bench/unequal.ts
 */
import { rm } from 'node:fs/promises';
import { splitConfig, temporaryFolder } from '../e2e/weir.ts';
import { figure, type GoalRow, report } from './goals.ts';
import { startServerProcess } from './server-process.ts';
import { startSimulator } from './simulator.ts';
import { secondsOf, warmUp } from './timed-batch.ts';

const SLOTS = 64;
const LATENCIES_MS = [20, 200];
const LINES = 40_000;

const servers = await Promise.all(
  LATENCIES_MS.map((latency) => startSimulator({ models: ['gpt-4o-mini'], latency_ms: latency })),
);
const ideal = LATENCIES_MS.reduce((sum, latency) => sum + (SLOTS * 1_000) / latency, 0);
const urls = servers.map(({ baseUrl }) => baseUrl);
const rows: GoalRow[] = [];
try {
  for (const [by, lines, wanted] of [
    ['capacity', LINES, 0.92],
    ['requests', LINES / 5, null],
  ] as const) {
    const config = splitConfig(urls, [1, 1], { limits: { concurrency: SLOTS } });
    const { routes } = config as { routes: { split: { strategy: object } } };
    routes.split.strategy = { mode: 'loadbalance', by };
    const folder = await temporaryFolder();
    const weir = await startServerProcess(config, folder);
    try {
      await warmUp(weir, 'split', lines / 5);
      const rate = lines / (await secondsOf(weir, lines, 'split'));
      rows.push({
        goal: 3,
        what: `unequal pool (${LATENCIES_MS.join(' and ')} ms, ${SLOTS} slots each) by ${by}`,
        yardstick: `ideal sum ${figure(ideal)} req/s`,
        figure: `${(rate / ideal).toFixed(2)} × (${figure(rate)} req/s)`,
        wanted: wanted === null ? '–' : `≥ ${wanted} ×`,
        met: wanted === null ? null : rate / ideal >= wanted,
      });
    } finally {
      await weir.end('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    }
  }
} finally {
  for (const server of servers) await server.stop();
}
report(rows);
