/**
 * The sizes that Weir is made for, and the memory that the server takes for them: a file of 5 GB, a batch of ten million
 * lines, a thousand batches at once, 4,096 requests in flight. Needs some 10 GB of disk.
 *
 *   node test/bench/scale.ts [--only file,lines,batches,flight] [--megabytes 5000] [--lines 10000000] [--done 50000]
 *
 * The batch of ten million lines runs to `--done` answers; then it is cancelled, so that its output and its error file
 * are put together from all its lines. `--done all` lets it run to its end, which takes as long as the client allows.
 */
import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { splitConfig, temporaryFolder } from '../e2e/weir.ts';
import { figure, report } from './goals.ts';
import {
  chatLine,
  longChatLine,
  megabytesOf,
  type ServerProcess,
  startServerProcess,
  uploadLines,
} from './server-process.ts';
import { startSimulator } from './simulator.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'file,lines,batches,flight' },
    megabytes: { type: 'string', default: '5000' },
    lines: { type: 'string', default: '10000000' },
    done: { type: 'string', default: '50000' },
    batches: { type: 'string', default: '1000' },
  },
});

interface Batch {
  id: string;
  status: string;
  output_file_id: string | null;
  error_file_id: string | null;
  request_counts: { total: number; completed: number; failed: number };
}

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));
const ENDED = new Set(['completed', 'failed', 'expired', 'cancelled']);

async function createBatch(server: ServerProcess, file: string): Promise<Batch> {
  const body = {
    input_file_id: file,
    endpoint: '/v1/chat/completions',
    completion_window: 'immediate',
    config: 'split',
  };
  return server.call<Batch>('/v1/batches', { method: 'POST', body: JSON.stringify(body) });
}

/** Asks for a batch until `enough` says so. */
async function until(server: ServerProcess, id: string, enough: (batch: Batch) => boolean): Promise<Batch> {
  for (;;) {
    const batch = await server.call<Batch>(`/v1/batches/${id}`);
    if (enough(batch)) return batch;
    if (ENDED.has(batch.status))
      throw new Error(`the batch is ${batch.status}: ${JSON.stringify(batch.request_counts)}`);
    await pause(100);
  }
}

interface Measured {
  what: string;
  /** What came of it, with its unit. */
  yardstick: string;
}

/** Runs `work` on a server of its own, and reports its memory at most. */
async function measure(
  options: { concurrency: number; latencyMs: number; most: number },
  work: (server: ServerProcess) => Promise<Measured>,
): Promise<void> {
  const folder = await temporaryFolder();
  const simulator = await startSimulator({ models: ['gpt-4o-mini'], latency_ms: options.latencyMs });
  const config = splitConfig([simulator.baseUrl], [1], { limits: { concurrency: options.concurrency } });
  const server = await startServerProcess(config, folder);
  try {
    const { what, yardstick } = await work(server);
    const peak = await megabytesOf(server.pid, 'VmHWM');
    report([
      {
        goal: 7,
        what,
        yardstick,
        figure: `${peak} MB at most`,
        wanted: `≤ ${options.most} MB`,
        met: Number.isNaN(peak) ? null : peak <= options.most,
      },
    ]);
  } finally {
    await server.end('SIGTERM');
    await simulator.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const CASES: Record<string, () => Promise<void>> = {
  file: () =>
    measure({ concurrency: 64, latencyMs: 0, most: 256 }, async (server) => {
      const lineBytes = longChatLine('00000000').length + 1;
      const lines = Math.ceil((Number(values.megabytes) * 1e6) / lineBytes);
      const started = performance.now();
      await uploadLines(server.url, lines, longChatLine);
      const rate = (lines * lineBytes) / 1e3 / (performance.now() - started);
      return { what: `a file of ${figure((lines * lineBytes) / 1e9, 1)} GB`, yardstick: `${figure(rate)} MB/s` };
    }),

  lines: () =>
    measure({ concurrency: 256, latencyMs: 0, most: 256 }, async (server) => {
      const lines = Number(values.lines);
      const started = performance.now();
      const seconds = (): string => `${figure((performance.now() - started) / 1000)} s`;
      const file = await uploadLines(server.url, lines, chatLine);
      console.log(`uploaded after ${seconds()}, ${await megabytesOf(server.pid, 'VmHWM')} MB at most so far`);
      const { id } = await createBatch(server, file);
      if (values.done === 'all') {
        await until(server, id, ({ status }) => status === 'completed');
        return { what: `a batch of ${figure(lines)} lines`, yardstick: `all done after ${seconds()}` };
      }
      await until(server, id, ({ request_counts }) => request_counts.completed >= Number(values.done));
      console.log(
        `${values.done} done after ${seconds()}, ${await megabytesOf(server.pid, 'VmHWM')} MB at most so far`,
      );
      await server.call(`/v1/batches/${id}/cancel`, { method: 'POST' });
      const { request_counts } = await until(server, id, ({ status }) => status === 'cancelled');
      if (request_counts.total !== lines) throw new Error(`the batch had ${request_counts.total} requests`);
      return {
        what: `a batch of ${figure(lines)} lines, cancelled after ${figure(request_counts.completed)}`,
        yardstick: `both files after ${seconds()}`,
      };
    }),

  batches: () =>
    measure({ concurrency: 256, latencyMs: 20, most: 256 }, async (server) => {
      const count = Number(values.batches);
      const file = await uploadLines(server.url, 100, chatLine);
      const started = performance.now();
      const ids: string[] = [];
      for (let from = 0; from < count; from += 20) {
        const made = Array.from({ length: Math.min(20, count - from) }, () => createBatch(server, file));
        ids.push(...(await Promise.all(made)).map(({ id }) => id));
      }
      const created = performance.now();
      for (const id of ids) {
        const { request_counts } = await until(server, id, ({ status }) => status === 'completed');
        if (request_counts.completed !== 100) throw new Error(`${id}: ${JSON.stringify(request_counts)}`);
      }
      const seconds = (performance.now() - started) / 1000;
      return {
        what: `${figure(count)} batches of 100 lines at once`,
        yardstick: `created in ${figure((created - started) / 1000, 1)} s, all done after ${figure(seconds, 1)} s`,
      };
    }),

  flight: () =>
    measure({ concurrency: 4_096, latencyMs: 1_000, most: 512 }, async (server) => {
      const file = await uploadLines(server.url, 100_000, chatLine);
      const started = performance.now();
      const { id } = await createBatch(server, file);
      await until(server, id, ({ status }) => status === 'completed');
      const seconds = (performance.now() - started) / 1000;
      return {
        what: '100,000 lines, 1,000 ms, C=4,096',
        yardstick: `${figure(seconds, 1)} s, ${figure(100_000 / seconds)} req/s`,
      };
    }),
};

for (const name of values.only.split(',')) {
  const run = CASES[name.trim()];
  if (run === undefined) throw new Error(`there is no case ${name}; there are ${Object.keys(CASES).join(', ')}`);
  await run();
}
