/**
 * Uploading a large batch file over HTTP with everything a real upload needs (check of every line, plan, duplicate ids,
 * sha-256, copy to disk), beside parsing the same lines from memory; and what memory the server takes for it.
 *
 *   node test/bench/ingest.ts [--megabytes 1000]
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { figure, report } from './goals.ts';

const KEY = 'bench-admin-key';
const BOUNDARY = 'bench';
const LAUNCH = join(import.meta.dirname, '../../src/runtime/cli/launch.js');

const line = (index: number): string =>
  `${JSON.stringify({
    custom_id: `request-${index}`,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'm', messages: [{ role: 'user', content: `${'word '.repeat(180)}${index}` }] },
  })}\n`;

const { values } = parseArgs({ options: { megabytes: { type: 'string', default: '1000' } } });
const bytesWanted = Number(values.megabytes) * 1e6;

function parseRate(): number {
  const lines = Array.from({ length: 20_000 }, (_, index) => line(index));
  const bytes = lines.reduce((sum, text) => sum + text.length, 0);
  const started = performance.now();
  for (const text of lines) JSON.parse(text);
  return bytes / 1e3 / (performance.now() - started);
}

/** MB/s of `jq -c .` over the same lines; null where there is no jq. */
async function jqRate(): Promise<number | null> {
  const folderOfLines = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  const path = join(folderOfLines, 'lines.jsonl');
  const text = Array.from({ length: 20_000 }, (_, index) => line(index)).join('');
  await writeFile(path, text);
  const started = performance.now();
  const { status } = spawnSync('jq', ['-c', '.', path], { stdio: ['ignore', 'ignore', 'inherit'] });
  const rate = text.length / 1e3 / (performance.now() - started);
  await rm(folderOfLines, { recursive: true, force: true });
  return status === 0 ? rate : null;
}

async function* form(): AsyncGenerator<Buffer> {
  yield Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n`);
  yield Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n`);
  for (let sent = 0, index = 0; sent < bytesWanted; ) {
    const chunk = Buffer.from(Array.from({ length: 200 }, () => line(index++)).join(''));
    sent += chunk.length;
    yield chunk;
  }
  yield Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
}

/** Null where the system does not tell. */
async function megabytesOf(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kilobytes = Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]);
  return Number.isFinite(kilobytes) ? kilobytes / 1024 : null;
}

const folder = await mkdtemp(join(tmpdir(), 'weir-bench-'));
// As `npm start` starts it.
const server = spawn(process.execPath, ['--max-semi-space-size=16', LAUNCH, 'serve'], {
  cwd: folder,
  env: { ...process.env, WEIR_PORT: '0', WEIR_DATA_DIR: folder, WEIR_ADMIN_KEY: KEY, WEIR_LOG_LEVEL: 'warn' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const [first] = (await once(server.stdout, 'data')) as [Buffer];
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(first.toString('utf8'))?.[0] ?? '';
  const idle = await megabytesOf(server.pid ?? 0, 'VmRSS');
  const started = performance.now();
  const upload = request(`${url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
  });
  const answered = once(upload, 'response');
  await pipeline(form, upload);
  const [answer] = (await answered) as [{ statusCode: number; resume(): void }];
  answer.resume();
  if (answer.statusCode !== 200) throw new Error(`the upload was answered with ${answer.statusCode}`);
  const rate = bytesWanted / 1e3 / (performance.now() - started);
  const bare = parseRate();
  const jq = await jqRate();
  const peak = await megabytesOf(server.pid ?? 0, 'VmHWM');
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
      what: `peak RSS in it`,
      yardstick: `idle ${idle === null ? 'not known here' : `${figure(idle)} MB`}`,
      figure: peak === null ? 'not known here' : `${figure(peak)} MB`,
      wanted: '≤ 128 MB',
      met: peak === null ? null : peak <= 128,
    },
  ]);
} finally {
  const exited = once(server, 'exit');
  server.kill('SIGTERM');
  await exited;
  await rm(folder, { recursive: true, force: true });
}
