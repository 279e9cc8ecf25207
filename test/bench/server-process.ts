import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ADMIN_KEY, connect, type Weir } from '../e2e/weir.ts';

const LAUNCH = join(import.meta.dirname, '../../src/runtime/cli/launch.js');
const BOUNDARY = 'bench';

/** Weir in a process of its own, started as `npm start` does. */
export interface ServerProcess extends Omit<Weir, 'stop'> {
  pid: number;
  end(signal: NodeJS.Signals): Promise<void>;
}

export async function startServerProcess(config: object, folder: string): Promise<ServerProcess> {
  const configPath = join(folder, 'weir.json');
  await writeFile(configPath, JSON.stringify(config));
  const child = spawn(process.execPath, [LAUNCH, 'serve'], {
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

const NUMBER_DIGITS = 8;
/** Of a line's number the last digits are the same in every block of so many lines. */
const BLOCK_LINES = 1_000;
const HEAD = Buffer.from(
  `--${BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n` +
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n`,
);
const TAIL = Buffer.from(`\r\n--${BOUNDARY}--\r\n`);

/**
 * Uploads a batch input of `lines` lines, made while it is sent; answers the file's id. `lineOf` is asked for the lines of
 * one block: in the text that it makes of a number of eight digits, the number is then that of the line. So a client that
 * shares the machine with the server costs little more than the kernel takes to send the bytes.
 */
export async function uploadLines(url: string, lines: number, lineOf: (number: string) => string): Promise<string> {
  const block = new LineBlock(lineOf);
  const upload = request(`${url}/v1/files`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${ADMIN_KEY}`,
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      'content-length': HEAD.length + lines * block.lineBytes + TAIL.length,
    },
  });
  const answered = once(upload, 'response') as Promise<[Readable & { statusCode: number }]>;
  const send = (bytes: Buffer) =>
    new Promise<void>((resolve, reject) => upload.write(bytes, (error) => (error ? reject(error) : resolve())));
  await send(HEAD);
  for (let first = 0; first < lines; first += BLOCK_LINES) await send(block.from(first, lines));
  upload.end(TAIL);
  const [answer] = await answered;
  const body = Buffer.concat(await answer.toArray()).toString('utf8');
  if (answer.statusCode !== 200) throw new Error(`the upload was answered with ${answer.statusCode}: ${body}`);
  return (JSON.parse(body) as { id: string }).id;
}

/** The lines of one block after the other, in the same memory. */
class LineBlock {
  readonly lineBytes: number;
  readonly #bytes: Buffer;
  /** Where in the block the numbers stand. */
  readonly #places: readonly number[];

  constructor(lineOf: (number: string) => string) {
    const blank = '0'.repeat(NUMBER_DIGITS);
    this.lineBytes = lineOf(blank).length + 1;
    const numbers = Array.from({ length: BLOCK_LINES }, (_, index) => String(index).padStart(NUMBER_DIGITS, '0'));
    const inLine = [...lineOf(blank).matchAll(new RegExp(blank, 'g'))].map(({ index }) => index);
    this.#bytes = Buffer.from(numbers.map((number) => `${lineOf(number)}\n`).join(''), 'latin1');
    this.#places = numbers.flatMap((_, line) => inLine.map((place) => line * this.lineBytes + place));
  }

  /** The lines from `first`, which begins a block, up to `lines`; they are there until the next call. */
  from(first: number, lines: number): Buffer {
    const digits = Buffer.from(String(first).padStart(NUMBER_DIGITS, '0'), 'latin1');
    const changing = NUMBER_DIGITS - Math.log10(BLOCK_LINES);
    for (const place of this.#places) {
      for (let index = 0; index < changing; index++) this.#bytes[place + index] = digits[index] as number;
    }
    return this.#bytes.subarray(0, Math.min(BLOCK_LINES, lines - first) * this.lineBytes);
  }
}

/** A small chat request. */
export function chatLine(number: string): string {
  return `{"custom_id":"request-${number}","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Question ${number}: what is ${number} + ${number}?"}],"max_tokens":64}}`;
}

/** A chat request of 1 KB. */
export function longChatLine(number: string): string {
  const messages = [{ role: 'user', content: `${'word '.repeat(180)}${number}` }];
  return JSON.stringify({
    custom_id: `request-${number}`,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'gpt-4o-mini', messages },
  });
}

/** Megabytes of a process now, or at most so far; NaN where the system does not tell. */
export async function megabytesOf(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
}

/** Processor time of a process so far, all its threads, in microseconds; NaN where the system does not tell. */
export async function cpuMicrosOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  // In ticks of a hundredth of a second.
  return (Number(user) + Number(system)) * 10_000;
}
