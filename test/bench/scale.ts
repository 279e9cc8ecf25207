/**
 * The sizes that Weir is made for, and the memory that the server takes for them: a file of 5 GB, a batch of ten million
 * lines, a thousand batches at once, many small batches, 4,096 requests in flight. Needs some 10 GB of disk.
 *
 *   node test/bench/scale.ts [--only file,lines,batches,small,flight] [--megabytes 5000] [--lines 10000000] [--done 50000]
 *
 * The batch of ten million lines runs to `--done` answers; then it is cancelled, so that its output and its error file
 * are put together from all its lines. `--done all` lets it run to its end, which takes half an hour on two cores. Either
 * way its memory is told at every tenth, and its files and its account are held against what was answered.
 */
import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ADMIN_KEY, splitConfig, temporaryFolder } from '../e2e/weir.ts';
import { figure, report } from './goals.ts';
import { startRawServer } from './raw-http.ts';
import {
  chatLine,
  cpuMicrosOf,
  longChatLine,
  megabytesOf,
  type ServerProcess,
  startServerProcess,
  uploadLines,
} from './server-process.ts';
import { startSimulator } from './simulator.ts';
import { median } from './table.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'file,lines,batches,small,flight' },
    megabytes: { type: 'string', default: '5000' },
    lines: { type: 'string', default: '10000000' },
    done: { type: 'string', default: '50000' },
    batches: { type: 'string', default: '1000' },
  },
});

interface Batch {
  id: string;
  status: string;
  cost: { amount_nano_usd: number };
  output_file_id: string | null;
  error_file_id: string | null;
  request_counts: { total: number; completed: number; failed: number };
}

const SMALL_BATCHES = 300;
const SMALL_LINES = 10;

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
async function until(
  server: ServerProcess,
  id: string,
  enough: (batch: Batch) => boolean,
  everyMs = 100,
): Promise<Batch> {
  for (;;) {
    const batch = await server.call<Batch>(`/v1/batches/${id}`);
    if (enough(batch)) return batch;
    if (ENDED.has(batch.status))
      throw new Error(`the batch is ${batch.status}: ${JSON.stringify(batch.request_counts)}`);
    await pause(everyMs);
  }
}

/** Prints the server's memory at every tenth of the way to `wanted` answers. */
async function followMemory(server: ServerProcess, id: string, wanted: number): Promise<void> {
  let told = 0;
  await until(server, id, (batch) => {
    const tenth = Math.floor((batch.request_counts.completed / wanted) * 10);
    if (tenth > told) {
      told = tenth;
      void megabytesOf(server.pid, 'VmRSS').then((rss) => console.log(`${tenth * 10} %: ${rss} MB`));
    }
    return batch.request_counts.completed >= wanted || batch.status === 'finalizing' || batch.status === 'completed';
  });
}

async function countLines(server: ServerProcess, file: string | null): Promise<number> {
  if (file === null) return 0;
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  const { body } = await fetch(`${server.url}/v1/files/${file}/content`, { headers });
  let lines = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, at + 1)) lines += 1;
  }
  return lines;
}

/** Every line is in one of the two files, every answer in the ledger, and the account is the batch's. */
async function checkBooks(server: ServerProcess, batch: Batch, lines: number): Promise<void> {
  const { completed, failed, total } = batch.request_counts;
  const account = await server.call<{ total: { requests: number; amount_nano_usd: number } }>(
    `/v1/batches/${batch.id}/ledger`,
  );
  const found = {
    total,
    output: await countLines(server, batch.output_file_id),
    error: await countLines(server, batch.error_file_id),
    requests: account.total.requests,
    amount: account.total.amount_nano_usd,
  };
  const due = {
    total: lines,
    output: completed,
    error: failed,
    requests: completed,
    amount: batch.cost.amount_nano_usd,
  };
  if (completed + failed !== lines || JSON.stringify(found) !== JSON.stringify(due)) {
    throw new Error(`the books are wrong: ${JSON.stringify(found)} instead of ${JSON.stringify(due)}`);
  }
  console.log(`books: ${figure(lines)} lines in two files, ${figure(found.requests)} requests in the ledger`);
}

/** Makes `count` batches of the same `lines` lines at once, and waits for them; answers seconds, and the server's processor time. */
async function runAtOnce(
  server: ServerProcess,
  count: number,
  lines: number,
): Promise<{ created: number; done: number; cpuMs: number }> {
  const file = await uploadLines(server.url, lines, chatLine);
  const cpu = await cpuMicrosOf(server.pid);
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  const ids: string[] = [];
  for (let from = 0; from < count; from += 20) {
    const made = Array.from({ length: Math.min(20, count - from) }, () => createBatch(server, file));
    ids.push(...(await Promise.all(made)).map(({ id }) => id));
  }
  const created = seconds();
  for (const id of ids) {
    const { request_counts } = await until(server, id, ({ status }) => status === 'completed');
    if (request_counts.completed !== lines) throw new Error(`${id}: ${JSON.stringify(request_counts)}`);
  }
  return { created, done: seconds(), cpuMs: ((await cpuMicrosOf(server.pid)) - cpu) / 1000 };
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
  // Without latency the cheapest server there is: what it takes of the cores is not the measured one's.
  const simulator =
    options.latencyMs === 0
      ? await startRawServer('gpt-4o-mini')
      : await startSimulator({ models: ['gpt-4o-mini'], latency_ms: options.latencyMs });
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
      const wanted = values.done === 'all' ? lines : Number(values.done);
      await followMemory(server, id, wanted);
      console.log(`${figure(wanted)} done after ${seconds()}`);
      if (wanted < lines) await server.call(`/v1/batches/${id}/cancel`, { method: 'POST' });
      const ended = await until(server, id, ({ status }) => status === (wanted < lines ? 'cancelled' : 'completed'));
      const yardstick = `both files after ${seconds()}`;
      await checkBooks(server, ended, lines);
      return {
        what: `a batch of ${figure(lines)} lines, ${figure(ended.request_counts.completed)} answered`,
        yardstick,
      };
    }),

  batches: () =>
    measure({ concurrency: 256, latencyMs: 20, most: 512 }, async (server) => {
      const count = Number(values.batches);
      const { created, done } = await runAtOnce(server, count, 100);
      return {
        what: `${figure(count)} batches of 100 lines at once`,
        yardstick: `created in ${figure(created, 1)} s, all done after ${figure(done, 1)} s`,
      };
    }),

  small: () =>
    measure({ concurrency: 256, latencyMs: 20, most: 512 }, async (server) => {
      await runAtOnce(server, 50, SMALL_LINES);
      const { done, cpuMs } = await runAtOnce(server, SMALL_BATCHES, SMALL_LINES);
      const file = await uploadLines(server.url, SMALL_LINES, chatLine);
      const alone: number[] = [];
      for (let count = 0; count < 20; count++) {
        const started = performance.now();
        const { id } = await createBatch(server, file);
        await until(server, id, ({ status }) => status === 'completed', 2);
        alone.push(performance.now() - started);
      }
      return {
        what: `${SMALL_BATCHES} batches of ${SMALL_LINES} lines at once`,
        yardstick:
          `${figure(done, 1)} s, ${figure(cpuMs / SMALL_BATCHES, 1)} ms of processor time each; ` +
          `one alone ${figure(median(alone))} ms from its creation to its end, at 20 ms a line`,
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
