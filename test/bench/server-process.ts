import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ADMIN_KEY, connect, type Weir } from '../e2e/weir.ts';

const LAUNCH = join(import.meta.dirname, '../../src/runtime/cli/launch.js');
const BOUNDARY = 'bench';

/** Weir in a process of its own, with the flags of `npm start`. */
export interface ServerProcess extends Omit<Weir, 'stop'> {
  pid: number;
  end(signal: NodeJS.Signals): Promise<void>;
}

export async function startServerProcess(config: object, folder: string): Promise<ServerProcess> {
  const configPath = join(folder, 'weir.json');
  await writeFile(configPath, JSON.stringify(config));
  const child = spawn(process.execPath, ['--max-semi-space-size=16', LAUNCH, 'serve'], {
    cwd: folder,
    env: {
      ...process.env,
      WEIR_PORT: '0',
      WEIR_DATA_DIR: join(folder, 'data'),
      WEIR_CONFIG: configPath,
      WEIR_ADMIN_KEY: ADMIN_KEY,
      WEIR_LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(first.toString('utf8'))?.[0];
  if (url === undefined) throw new Error(`the server did not say where it is: ${first.toString('utf8')}`);
  return {
    ...connect(url),
    pid: child.pid ?? 0,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    },
  };
}

/** Uploads a batch input that is made while it is sent; answers the file's id. */
export async function uploadLines(url: string, lines: number, lineOf: (index: number) => string): Promise<string> {
  const upload = request(`${url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
  });
  const answered = once(upload, 'response') as Promise<[Readable & { statusCode: number }]>;
  await pipeline(Readable.from(form(lines, lineOf)), upload);
  const [answer] = await answered;
  const body = Buffer.concat(await answer.toArray()).toString('utf8');
  if (answer.statusCode !== 200) throw new Error(`the upload was answered with ${answer.statusCode}: ${body}`);
  return (JSON.parse(body) as { id: string }).id;
}

function* form(lines: number, lineOf: (index: number) => string): Generator<Buffer> {
  yield Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n`);
  yield Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n`);
  for (let index = 0; index < lines; ) {
    const texts: string[] = [];
    for (let count = 0; count < 500 && index < lines; count++) texts.push(lineOf(index++), '\n');
    yield Buffer.from(texts.join(''));
  }
  yield Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
}

/** A small chat request. */
export function chatLine(index: number): string {
  return `{"custom_id":"request-${index}","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Question ${index}: what is ${index} + ${index}?"}],"max_tokens":64}}`;
}

/** Megabytes of a process now, or at most so far; NaN where the system does not tell. */
export async function megabytesOf(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
}
