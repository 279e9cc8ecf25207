/**
 * `kill -9` in the middle of a large batch: how soon after the new start the first request goes out, and how many requests
 * are sent a second time.
 *
 *   node test/bench/restart.ts [--lines 1000000] [--done 20000] [--concurrency 256]
 */
import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { DEFAULT_SETTINGS } from '../../src/ports/settings.ts';
import { splitConfig, temporaryFolder } from '../e2e/weir.ts';
import { figure, report } from './goals.ts';
import { chatLine, startServerProcess, uploadLines } from './server-process.ts';
import { startSimulator } from './simulator.ts';

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '1000000' },
    done: { type: 'string', default: '20000' },
    concurrency: { type: 'string', default: '256' },
  },
});
const concurrency = Number(values.concurrency);
/** Results that may wait: one group that is being committed, and the next. */
const uncommitted = 2 * DEFAULT_SETTINGS.partLines;

interface Batch {
  id: string;
  request_counts: { completed: number };
}

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

const folder = await temporaryFolder();
const simulator = await startSimulator({ models: ['gpt-4o-mini'], latency_ms: 20 });
const received = async (): Promise<number> => {
  const answer = await fetch(`${simulator.baseUrl.slice(0, -'/v1'.length)}/__control/counters`);
  return ((await answer.json()) as { received: number }).received;
};
const config = splitConfig([simulator.baseUrl], [1], { limits: { concurrency } });
let server = await startServerProcess(config, folder);
try {
  const file = await uploadLines(server.url, Number(values.lines), chatLine);
  const { id } = await server.call<Batch>('/v1/batches', {
    method: 'POST',
    body: JSON.stringify({
      input_file_id: file,
      endpoint: '/v1/chat/completions',
      completion_window: 'immediate',
      config: 'split',
    }),
  });
  const completed = async (): Promise<number> =>
    (await server.call<Batch>(`/v1/batches/${id}`)).request_counts.completed;
  while ((await completed()) < Number(values.done)) await pause(50);
  await server.end('SIGKILL');
  const before = await received();

  const started = performance.now();
  const starting = startServerProcess(config, folder);
  while ((await received()) === before) await pause(5);
  const firstRequest = (performance.now() - started) / 1000;
  server = await starting;
  await pause(1_000);

  // Paused and quiet, every request that was received has its result once, but for those that were sent again.
  await server.call(`/v1/batches/${id}/pause`, { method: 'POST' });
  let seen = { received: -1, completed: -1 };
  for (;;) {
    const now = { received: await received(), completed: await completed() };
    if (now.received === seen.received && now.completed === seen.completed) break;
    seen = now;
    await pause(1_000);
  }
  const again = seen.received - seen.completed;
  report([
    {
      goal: 11,
      what: `first request after kill -9, ${figure(Number(values.lines))} lines`,
      yardstick: `${figure(seen.completed)} done`,
      figure: `${figure(firstRequest, 2)} s`,
      wanted: '≤ 2 s',
      met: firstRequest <= 2,
    },
    {
      goal: 11,
      what: 'requests sent again',
      yardstick: `C=${concurrency}`,
      figure: figure(again),
      wanted: `≤ ${concurrency} and ${uncommitted} not committed`,
      met: again <= concurrency + uncommitted,
    },
  ]);
} finally {
  await server.end('SIGKILL');
  await simulator.stop();
  await rm(folder, { recursive: true, force: true });
}
