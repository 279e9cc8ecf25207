/**
 * Immediate mode, everything durable and ledgered, from the create of a batch to its files, against a bare loop of
 * undici's `Pool.request` on the same server in the same run; and, with answers at once, against loops of the global
 * `fetch` and of the `openai` SDK. Each runs in a process of its own; the server is raw-http.ts, which costs next to
 * nothing beside either. Absolute figures move with the machine; the ratio is what counts.
 * Concurrency is fixed here: convergence.ts lets it adapt.
 *
 *   node test/bench/immediate.ts [--rounds 3] [--only 20/256]    (a latency in milliseconds, and how many in flight)
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import OpenAI from 'openai';
import { Pool } from 'undici';
import { chatLines, splitConfig, submit, waitForBatch } from '../e2e/weir.ts';
import { figure, type GoalRow, report } from './goals.ts';
import { startRawServer } from './raw-http.ts';
import { cpuMicrosOf, type ServerProcess, startServerProcess } from './server-process.ts';
import { median } from './table.ts';

/**
 * `ratio` to the bare loop and use of `slots` that are wanted; null where the case is not about it. Where slots are looked
 * at, lines fill them all to the end. All last so long that begin and end of a batch, some tenths of a second whatever its
 * size, count for little.
 */
const CASES = [
  { latencyMs: 0, concurrency: 64, lines: 250_000, ratio: 0.75, slots: null },
  { latencyMs: 0, concurrency: 256, lines: 250_000, ratio: 0.75, slots: null },
  { latencyMs: 20, concurrency: 256, lines: 256 * 320, ratio: null, slots: 0.88 },
  { latencyMs: 200, concurrency: 64, lines: 64 * 250, ratio: null, slots: 0.985 },
  { latencyMs: 200, concurrency: 256, lines: 256 * 250, ratio: null, slots: 0.97 },
  { latencyMs: 200, concurrency: 1024, lines: 1024 * 200, ratio: null, slots: 0.94 },
];
/** Lines that go before, so that code is compiled and connections are open, as the loops' are after a round. */
const WARM_LINES = 40_000;
const ENGINE_THREADS = 2;
/** The goal was set on a machine where the bare loop took so much; microseconds move with the machine, their ratio holds. */
const CPU_WANTED = { micros: 45, bareMicros: 25 };
/** The slower clients are given fewer lines; a rate is a rate. */
const SLOW_CLIENT_LINES = 4_000;
const SLOW_CLIENTS = [
  { name: 'fetch loop', send: sendByFetch, ratio: 2.5 },
  { name: 'openai SDK loop', send: sendBySdk, ratio: 4 },
] as const;

interface Run {
  perSecond: number;
  cpuMicros: number;
}

async function measure(count: number, work: () => Promise<void>): Promise<Run> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  return { perSecond: count / seconds, cpuMicros: (used.user + used.system) / count };
}

async function bareLoop(baseUrl: string, bodies: readonly Buffer[], concurrency: number): Promise<Run> {
  const url = new URL(baseUrl);
  const pool = new Pool(url.origin, { connections: concurrency, pipelining: 1 });
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < bodies.length) {
      const body = bodies[next++] ?? Buffer.alloc(0);
      const path = `${url.pathname}/chat/completions`;
      const answer = await pool.request({
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      await answer.body.arrayBuffer();
    }
  };
  try {
    return await measure(bodies.length, async () => {
      await Promise.all(Array.from({ length: concurrency }, worker));
    });
  } finally {
    await pool.close();
  }
}

async function sendByFetch(baseUrl: string): Promise<(body: Buffer) => Promise<unknown>> {
  const headers = { 'content-type': 'application/json' };
  return async (body) =>
    (await fetch(`${baseUrl}/chat/completions`, { method: 'POST', headers, body: new Uint8Array(body) })).json();
}

async function sendBySdk(baseUrl: string): Promise<(body: Buffer) => Promise<unknown>> {
  const client = new OpenAI({ apiKey: 'none', baseURL: baseUrl, maxRetries: 0 });
  return async (body) => client.chat.completions.create(JSON.parse(body.toString('utf8')));
}

async function clientLoop(
  send: (body: Buffer) => Promise<unknown>,
  bodies: readonly Buffer[],
  concurrency: number,
): Promise<Run> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let body = bodies[next++]; body; body = bodies[next++]) await send(body);
  };
  return measure(bodies.length, async () => {
    await Promise.all(Array.from({ length: concurrency }, worker));
  });
}

/** Weir in its process, warm, with so many engines in threads of their own (0: one, in the main thread). */
async function startWarmWeir(
  baseUrl: string,
  concurrency: number,
  engineThreads = 0,
): Promise<{ weir: ServerProcess; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  const weir = await startServerProcess(
    splitConfig([baseUrl], [1], {
      limits: { concurrency, adaptive: false },
      settings: { engine_threads: engineThreads },
    }),
    folder,
  );
  await waitForBatch(weir, (await submit(weir, chatLines(WARM_LINES), { config: 'split' })).id, { seconds: 120 });
  return {
    weir,
    async stop() {
      await weir.end('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Looks seldom, as that costs the server something too, but often towards the end. */
const lookAgain = (startedAt: number, lines: number) => (batch: OpenAI.Batch) => {
  const done = batch.request_counts?.completed ?? 0;
  const leftMs = ((performance.now() - startedAt) * (lines - done)) / Math.max(1, done);
  return Math.min(1_000, Math.max(50, leftMs / 4));
};

/** Runs a batch of the lines; `cores`: how many processors it and the simulated server kept busy. */
async function weirBatch(
  weir: ServerProcess,
  simulator: { pid: number },
  input: string,
  lines: number,
): Promise<Run & { cores: number }> {
  const file = await weir.client.files.create({ file: new File([input], 'bench.jsonl'), purpose: 'batch' });
  const micros = () => Promise.all([cpuMicrosOf(weir.pid), cpuMicrosOf(simulator.pid)]);
  const [own, other] = await micros();
  const started = performance.now();
  const batch = await weir.call<{ id: string }>('/v1/batches', {
    method: 'POST',
    body: JSON.stringify({
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: 'immediate',
      config: 'split',
    }),
  });
  const ended = await waitForBatch(weir, batch.id, { seconds: 120, everyMs: lookAgain(started, lines) });
  if (ended.request_counts?.completed !== lines) throw new Error(`only ${JSON.stringify(ended.request_counts)}`);
  const seconds = (performance.now() - started) / 1000;
  const [ownAfter, otherAfter] = await micros();
  const used = ownAfter - own;
  return {
    perSecond: lines / seconds,
    cpuMicros: used / lines,
    cores: (used + otherAfter - other) / seconds / 1e6,
  };
}

type Case = (typeof CASES)[number];

/** What a case came to: the middle of its rounds. */
interface Measured {
  bare: Run;
  weir: Run;
  cores: number;
  threaded: Run | null;
  slow: { name: string; perSecond: number; wanted: number }[];
}

const middleOf = (runs: readonly Run[]): Run => ({
  perSecond: median(runs.map((run) => run.perSecond)),
  cpuMicros: median(runs.map((run) => run.cpuMicros)),
});

async function measureCase({ latencyMs, concurrency, lines, ratio }: Case, rounds: number): Promise<Measured> {
  // Those that warm up are answered at once: there are no rounds of waiting for them.
  const clients = ratio === null ? 2 : 3;
  const simulator = await startRawServer('gpt-4o-mini', { latencyMs, atOnce: WARM_LINES * clients });
  const input = chatLines(lines);
  const bodies = input
    .trimEnd()
    .split('\n')
    .map((line) => Buffer.from(JSON.stringify((JSON.parse(line) as { body: object }).body)));
  const { weir, stop } = await startWarmWeir(simulator.baseUrl, concurrency);
  // A second core helps where one has not enough to do by waiting.
  const threaded = ratio === null ? null : await startWarmWeir(simulator.baseUrl, concurrency, ENGINE_THREADS);
  // As many requests as Weir has had: the first ones of a process are slow.
  const warming = Array.from({ length: WARM_LINES }, (_, index) => bodies[index % bodies.length] ?? Buffer.alloc(0));
  await bareLoop(simulator.baseUrl, warming, concurrency);
  const bare: Run[] = [];
  const batches: Awaited<ReturnType<typeof weirBatch>>[] = [];
  const threadedBatches: Run[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await bareLoop(simulator.baseUrl, bodies, concurrency));
    batches.push(await weirBatch(weir, simulator, input, lines));
    if (threaded !== null) threadedBatches.push(await weirBatch(threaded.weir, simulator, input, lines));
  }
  await stop();
  await threaded?.stop();
  const slow: Measured['slow'] = [];
  if (latencyMs === 0 && concurrency === 256) {
    for (const { name, send, ratio: wanted } of SLOW_CLIENTS) {
      const run = await clientLoop(await send(simulator.baseUrl), bodies.slice(0, SLOW_CLIENT_LINES), concurrency);
      slow.push({ name, perSecond: run.perSecond, wanted });
    }
  }
  await simulator.stop();
  return {
    bare: middleOf(bare),
    weir: middleOf(batches),
    cores: median(batches.map(({ cores }) => cores)),
    threaded: threaded && middleOf(threadedBatches),
    slow,
  };
}

function rowsOf(of: Case, { bare, weir, cores, threaded, slow }: Measured): GoalRow[] {
  const what = `immediate, ${of.latencyMs} ms, C=${of.concurrency}`;
  const yardstick = `bare loop ${figure(bare.perSecond)} req/s`;
  const times = (run: Run, other: number, wanted: number, text = `${figure(run.perSecond)} req/s`) => ({
    figure: `${(run.perSecond / other).toFixed(2)} × (${text})`,
    wanted: `≥ ${wanted} ×`,
    met: run.perSecond / other >= wanted,
  });
  const rows: GoalRow[] = slow.map(({ name, perSecond, wanted }) => ({
    goal: 2,
    what,
    yardstick: `${name} ${figure(perSecond)} req/s`,
    ...times(weir, perSecond, wanted),
  }));
  if (of.ratio !== null) rows.push({ goal: 1, what, yardstick, ...times(weir, bare.perSecond, of.ratio) });
  if (threaded !== null) {
    const threads = `${what}, ${ENGINE_THREADS} engine threads`;
    const text = `${figure(threaded.perSecond)} req/s, CPU ${figure(threaded.cpuMicros)} µs a request`;
    rows.push({ goal: 1, what: threads, yardstick, ...times(threaded, bare.perSecond, 0.95, text) });
    // Where one engine and its server keep nearly all of them busy, a second one has nothing to run on.
    const busy = `one engine ${figure(weir.perSecond)} req/s, ${cores.toFixed(2)} of ${availableParallelism()} cores busy`;
    rows.push({ goal: 1, what: threads, yardstick: busy, ...times(threaded, weir.perSecond, 1.5, text) });
  }
  if (of.slots !== null) {
    const ideal = (of.concurrency * 1000) / of.latencyMs;
    rows.push({
      goal: 3,
      what: `slot use, ${of.latencyMs} ms, C=${of.concurrency}`,
      yardstick: `bare loop ${(bare.perSecond / ideal).toFixed(3)}`,
      figure: `${(weir.perSecond / ideal).toFixed(3)} (${figure(weir.perSecond)} req/s)`,
      wanted: `≥ ${of.slots}`,
      met: weir.perSecond / ideal >= of.slots,
    });
  }
  const isBusy = of.latencyMs === 0;
  rows.push({
    goal: 4,
    what: `CPU a request, ${of.latencyMs} ms, C=${of.concurrency}`,
    yardstick: `bare loop ${figure(bare.cpuMicros)} µs`,
    figure: `${figure(weir.cpuMicros)} µs (${(weir.cpuMicros / bare.cpuMicros).toFixed(2)} ×)`,
    // Beside few requests it is mostly what a server does anyway.
    wanted: isBusy ? `≤ ${CPU_WANTED.micros} µs where the loop takes ${CPU_WANTED.bareMicros}` : '–',
    met: isBusy ? weir.cpuMicros / bare.cpuMicros <= CPU_WANTED.micros / CPU_WANTED.bareMicros : null,
  });
  return rows;
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, only: { type: 'string' } } });
const rows: GoalRow[] = [];
for (const each of CASES) {
  if (values.only !== undefined && values.only !== `${each.latencyMs}/${each.concurrency}`) continue;
  rows.push(...rowsOf(each, await measureCase(each, Number(values.rounds))));
}
report(rows);
