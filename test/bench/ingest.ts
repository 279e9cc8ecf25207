/**
 * Uploading a large batch file over HTTP with everything a real upload needs (check of every line, plan, duplicate ids,
 * sha-256, copy to disk), beside parsing the same lines from memory; and what memory the server takes for it.
 *
 *   node test/bench/ingest.ts [--megabytes 1000]
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { figure, report } from './goals.ts';
import { longChatLine, megabytesOf, startServerProcess, uploadLines } from './server-process.ts';
import { median } from './table.ts';

const SAMPLE_LINES = 20_000;
const ROUNDS = 7;

const { values } = parseArgs({ options: { megabytes: { type: 'string', default: '1000' } } });
const sample = Array.from({ length: SAMPLE_LINES }, (_, index) => longChatLine(String(index).padStart(8, '0')));
const lineBytes = (sample[0]?.length ?? 0) + 1;
const lines = Math.ceil((Number(values.megabytes) * 1e6) / lineBytes);

/** MB/s of JSON.parse; the middle of some rounds, so that it is that of compiled code. */
function parseRate(): number {
  return median(
    Array.from({ length: ROUNDS }, () => {
      const started = performance.now();
      for (const text of sample) JSON.parse(text);
      return (SAMPLE_LINES * lineBytes) / 1e3 / (performance.now() - started);
    }),
  );
}

/** MB/s of `jq -c .` over the same lines; null where there is no jq. */
async function jqRate(): Promise<number | null> {
  const folderOfLines = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  const path = join(folderOfLines, 'lines.jsonl');
  const text = sample.map((line) => `${line}\n`).join('');
  await writeFile(path, text);
  const started = performance.now();
  const { status } = spawnSync('jq', ['-c', '.', path], { stdio: ['ignore', 'ignore', 'inherit'] });
  const rate = text.length / 1e3 / (performance.now() - started);
  await rm(folderOfLines, { recursive: true, force: true });
  return status === 0 ? rate : null;
}

/** MB/s of the same upload to a server that looks at nothing: what the client and the system leave to reach. */
async function discardedRate(): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'discarding-server.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [url] = (await once(child.stdout, 'data')) as [Buffer];
  const started = performance.now();
  await uploadLines(url.toString('utf8').trim(), lines, longChatLine);
  const rate = (lines * lineBytes) / 1e3 / (performance.now() - started);
  child.kill();
  await once(child, 'exit');
  return rate;
}

const folder = await mkdtemp(join(tmpdir(), 'weir-bench-'));
const server = await startServerProcess({}, folder);
try {
  const idle = await megabytesOf(server.pid, 'VmRSS');
  const started = performance.now();
  await uploadLines(server.url, lines, longChatLine);
  const rate = (lines * lineBytes) / 1e3 / (performance.now() - started);
  const bare = parseRate();
  const jq = await jqRate();
  const discarded = await discardedRate();
  const peak = await megabytesOf(server.pid, 'VmHWM');
  report([
    {
      goal: 6,
      what: `upload of ${values.megabytes} MB over HTTP`,
      yardstick: `JSON.parse from memory ${figure(bare)} MB/s`,
      figure: `${(rate / bare).toFixed(2)} × (${figure(rate)} MB/s)`,
      wanted: '≥ 0.50 ×',
      met: rate / bare >= 0.5,
    },
    {
      goal: 6,
      what: `upload of ${values.megabytes} MB over HTTP`,
      yardstick: jq === null ? 'jq is not installed here' : `jq ${figure(jq)} MB/s`,
      figure: jq === null ? 'not measured' : `${(rate / jq).toFixed(1)} ×`,
      wanted: '≥ 10 ×',
      met: jq === null ? null : rate / jq >= 10,
    },
    {
      goal: 6,
      what: `the same upload to a server that counts its bytes`,
      yardstick: `JSON.parse from memory ${figure(bare)} MB/s`,
      figure: `${(discarded / bare).toFixed(2)} × (${figure(discarded)} MB/s)`,
      wanted: 'what can be reached',
      met: null,
    },
    {
      goal: 6,
      what: `peak RSS in it`,
      yardstick: `idle ${idle} MB`,
      figure: `${peak} MB`,
      wanted: '≤ 128 MB',
      met: Number.isNaN(peak) ? null : peak <= 128,
    },
  ]);
} finally {
  await server.end('SIGTERM');
  await rm(folder, { recursive: true, force: true });
}
