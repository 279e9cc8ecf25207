/**
 * Synchronous calls through Weir, keys checked and every entry in the ledger, against Portkey's open gateway in the same
 * run, both between the same client and server (raw-http.ts), which cost little beside either. The peer is installed into a temporary folder; without a registry it is left out.
 *
 *   node test/bench/sync.ts [--rounds 3]
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { ADMIN_KEY, spawnWeir } from '../e2e/weir.ts';
import { figure, type GoalRow, report } from './goals.ts';
import { load, startRawServer } from './raw-http.ts';
import { median } from './table.ts';

const PEER = '@portkey-ai/gateway@1.15.2';
const BODY = Buffer.from(
  JSON.stringify({
    model: 'p/m',
    messages: [{ role: 'user', content: 'What is two and two? Explain it in a few words. '.repeat(10) }],
    max_tokens: 64,
  }),
);

/** Somewhere to send the call to. */
interface Way {
  url: string;
  headers: Record<string, string>;
  body: Buffer;
  stop(): Promise<void>;
}

interface Run {
  perSecond: number;
  p50Ms: number;
}

async function measure({ url, headers, body }: Way, concurrency: number, count: number): Promise<Run> {
  const started = performance.now();
  const latencies = await load(url, { headers, body }, concurrency, count);
  return { perSecond: (count / (performance.now() - started)) * 1000, p50Ms: median(latencies) };
}

async function startWeirWay(baseUrl: string): Promise<Way> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  const path = join(folder, 'weir.yaml');
  const provider = {
    kind: 'vllm',
    base_urls: [baseUrl],
    models: ['m'],
    price: { input: 1, output: 2 },
    limits: { concurrency: 256 },
  };
  await writeFile(path, JSON.stringify({ providers: { p: provider } }));
  const weir = await spawnWeir(path, folder);
  return {
    url: `${weir.url}/v1/chat/completions`,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_KEY}` },
    body: BODY,
    async stop() {
      await weir.terminate();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Installs and starts the peer; the reason why not, as text, where that cannot be done. */
async function startPeer(baseUrl: string): Promise<Way | string> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-peer-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await writeFile(join(folder, 'package.json'), '{"private":true}');
    const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund', PEER];
    await promisify(execFile)('npm', install, { cwd: folder, timeout: 120_000 });
  } catch (error) {
    await remove();
    return `${PEER} could not be installed: ${String(error).slice(0, 200)}`;
  }
  const port = await freePort();
  const main = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  const child = spawn(process.execPath, [main, `--port=${port}`, '--headless'], {
    env: { ...process.env, TRUSTED_CUSTOM_HOSTS: '127.0.0.1', NODE_ENV: 'production' },
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}/v1/chat/completions`;
  const headers = {
    'content-type': 'application/json',
    authorization: 'Bearer key',
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': baseUrl,
  };
  const way: Way = {
    url,
    headers,
    body: Buffer.from(BODY.toString('utf8').replace('"p/m"', '"m"')),
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      await remove();
    },
  };
  for (let tries = 0; tries < 100; tries++) {
    if (await measure(way, 1, 1).catch(() => null)) return way;
    await new Promise((wake) => setTimeout(wake, 200));
  }
  await way.stop();
  return `${PEER} did not answer within 20 s`;
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } });
const simulator = await startRawServer('m');
const direct: Way = {
  url: `${simulator.baseUrl}/chat/completions`,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(BODY.toString('utf8').replace('"p/m"', '"m"')),
  stop: () => simulator.stop(),
};
const weir = await startWeirWay(simulator.baseUrl);
const peer = await startPeer(simulator.baseUrl);
const runs: Record<'direct' | 'weir' | 'peer', { one: number[]; many: number[] }> = {
  direct: { one: [], many: [] },
  weir: { one: [], many: [] },
  peer: { one: [], many: [] },
};
const ways = { direct, weir, ...(typeof peer !== 'string' && { peer }) };
const names = Object.keys(ways) as (keyof typeof runs)[];
for (const name of names) await measure(ways[name] ?? direct, 64, name === 'peer' ? 500 : 4_000);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const name of names) {
    const way = ways[name] ?? direct;
    runs[name].one.push((await measure(way, 1, 400)).p50Ms);
    runs[name].many.push((await measure(way, 64, name === 'peer' ? 2_000 : 12_000)).perSecond);
  }
}
for (const way of Object.values(ways)) await way.stop();

const own = { one: median(runs.weir.one) - median(runs.direct.one), many: median(runs.weir.many) };
const bare = `bare ${figure(median(runs.direct.many))} req/s`;
const rows: GoalRow[] = [];
if (typeof peer === 'string') {
  console.error(peer);
  const what = 'synchronous call, 0 ms';
  const text = `${figure(own.many)} req/s, +${figure(own.one, 2)} ms at C=1; ${peer}`;
  rows.push({ goal: 12, what, yardstick: bare, figure: text, wanted: '≥ 10 × the peer', met: null });
} else {
  const other = { one: median(runs.peer.one) - median(runs.direct.one), many: median(runs.peer.many) };
  const times = own.many / other.many;
  rows.push({
    goal: 12,
    what: 'synchronous call, 0 ms, C=64',
    yardstick: `Portkey ${figure(other.many)} req/s, ${bare}`,
    figure: `${figure(times, 1)} × (${figure(own.many)} req/s)`,
    wanted: '≥ 10 ×',
    met: times >= 10,
  });
  rows.push({
    goal: 12,
    what: 'added to p50, C=1',
    yardstick: `Portkey ${figure(other.one, 2)} ms`,
    figure: `${figure(own.one / other.one, 2)} × (${figure(own.one, 2)} ms)`,
    wanted: '≤ 0.4 ×',
    met: own.one / other.one <= 0.4,
  });
}
report(rows);
