/**
 * What a batch of many lines takes: time of upload and batch, and the server's memory at its peak and over the course.
 *
 *   node test/bench/memory.ts [--lines 300000] [--concurrency 256] [--latency 0] [--upload-only]
 */
import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { splitConfig, temporaryFolder } from '../e2e/weir.ts';
import { figure, report } from './goals.ts';
import { chatLine, megabytesOf, startServerProcess, uploadLines } from './server-process.ts';
import { startSimulator } from './simulator.ts';

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '300000' },
    concurrency: { type: 'string', default: '256' },
    latency: { type: 'string', default: '0' },
    'upload-only': { type: 'boolean', default: false },
  },
});
const lines = Number(values.lines);
const concurrency = Number(values.concurrency);

interface Progress {
  status: string;
  request_counts: { completed: number };
}

/** Seconds until the batch has completed, with the memory seen at every tenth of it. */
async function follow(call: (path: string) => Promise<Progress>, path: string, pid: number): Promise<number[]> {
  const seen: number[] = [];
  for (;;) {
    const batch = await call(path);
    const tenth = Math.floor((batch.request_counts.completed / lines) * 10);
    while (seen.length < tenth) seen.push(await megabytesOf(pid, 'VmRSS'));
    if (batch.status === 'completed') return seen;
    if (batch.status !== 'in_progress' && batch.status !== 'finalizing' && batch.status !== 'validating') {
      throw new Error(`the batch is ${batch.status}`);
    }
    await new Promise((wake) => setTimeout(wake, 250));
  }
}

const folder = await temporaryFolder();
const simulator = await startSimulator({ models: ['gpt-4o-mini'], latency_ms: Number(values.latency) });
const server = await startServerProcess(splitConfig([simulator.baseUrl], [1], { limits: { concurrency } }), folder);
try {
  const idle = await megabytesOf(server.pid, 'VmRSS');
  const started = performance.now();
  const file = await uploadLines(server.url, lines, chatLine);
  const uploaded = performance.now();
  const afterUpload = await megabytesOf(server.pid, 'VmHWM');
  report([
    {
      goal: 7,
      what: `upload of ${figure(lines)} lines`,
      yardstick: `idle ${idle} MB`,
      figure: `${afterUpload} MB, ${figure((uploaded - started) / 1000, 1)} s`,
      wanted: '≤ 256 MB',
      met: afterUpload <= 256,
    },
  ]);
  if (!values['upload-only']) {
    const batch = await server.call<{ id: string }>('/v1/batches', {
      method: 'POST',
      body: JSON.stringify({
        input_file_id: file,
        endpoint: '/v1/chat/completions',
        completion_window: 'immediate',
        config: 'split',
      }),
    });
    const seen = await follow((path) => server.call<Progress>(path), `/v1/batches/${batch.id}`, server.pid);
    const seconds = (performance.now() - uploaded) / 1000;
    const peak = await megabytesOf(server.pid, 'VmHWM');
    console.log(`memory at every tenth of the batch: ${seen.join(' ')} MB`);
    report([
      {
        goal: 7,
        what: `batch of ${figure(lines)} lines, ${values.latency} ms, C=${concurrency}`,
        yardstick: `${figure(seconds, 1)} s, ${figure(lines / seconds)} req/s to the end`,
        figure: `${peak} MB at most`,
        wanted: concurrency > 1024 ? '≤ 512 MB' : '≤ 256 MB',
        met: peak <= (concurrency > 1024 ? 512 : 256),
      },
    ]);
  }
} finally {
  await server.end('SIGTERM');
  await simulator.stop();
  await rm(folder, { recursive: true, force: true });
}
