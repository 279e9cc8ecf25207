/**
 * The cheapest client and server that one process can be, so that a gateway between them is what is measured: they frame
 * messages by Content-Length or chunks, and look at nothing else.
 *
 * As a program, `node raw-http.ts [model] [latency] [at once]`, it is the server: it prints its address and answers every
 * request with one completion, after so many milliseconds, but for the first ones, that warm its clients up.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';

/** Calls `onMessage` with the head of every whole message that arrives. */
function frame(socket: Socket, onMessage: (head: string) => void): void {
  let rest = '';
  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => {
    rest = rest === '' ? chunk.toString('latin1') : rest + chunk.toString('latin1');
    for (;;) {
      const end = rest.indexOf(HEAD_END);
      if (end < 0) return;
      const head = rest.slice(0, end);
      const length = /content-length: *(\d+)/i.exec(head)?.[1];
      const isChunked = length === undefined && /transfer-encoding: *chunked/i.test(head);
      const last = isChunked ? rest.indexOf('\r\n0\r\n\r\n', end) + 7 : end + 4 + Number(length ?? 0);
      if (last < end + 4 || rest.length < last) return;
      rest = rest.slice(last);
      onMessage(head);
    }
  });
}

/** Sends `count` requests over `concurrency` connections, one at a time on each; the latencies in milliseconds. */
export async function load(
  url: string,
  request: { headers: Record<string, string>; body: Buffer },
  concurrency: number,
  count: number,
): Promise<number[]> {
  const { hostname, port, pathname } = new URL(url);
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST ${pathname} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n${headers.join('')}content-length: ${request.body.length}${HEAD_END}`;
  const bytes = Buffer.concat([Buffer.from(head), request.body]);
  const latencies: number[] = [];
  let left = count;
  const run = async (): Promise<void> => {
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    await new Promise<void>((resolve, reject) => {
      let started = 0;
      const next = (): void => {
        if (left-- <= 0) {
          resolve();
          return;
        }
        started = performance.now();
        socket.write(bytes);
      };
      socket.on('error', reject);
      socket.on('close', () => reject(new Error(`${url} closed the connection`)));
      frame(socket, (answer) => {
        if (!answer.startsWith('HTTP/1.1 200')) {
          reject(new Error(answer.slice(0, 300)));
          return;
        }
        latencies.push(performance.now() - started);
        next();
      });
      next();
    });
    socket.removeAllListeners('close');
    socket.destroy();
  };
  await Promise.all(Array.from({ length: concurrency }, run));
  return latencies;
}

/** The server in a process of its own, so that it does not share the measured one's core by force. */
export async function startRawServer(
  model: string,
  { latencyMs = 0, atOnce = 0 } = {},
): Promise<{ baseUrl: string; pid: number; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [import.meta.filename, model, String(latencyMs), String(atOnce)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    baseUrl: `${line.toString('utf8').trim()}/v1`,
    pid: child.pid ?? 0,
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

const COMPLETION = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_790_000_000,
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'Two and two is four, as it always was. '.repeat(14), refusal: null },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: { prompt_tokens: 120, completion_tokens: 64, total_tokens: 184 },
};

/** Calls `give` for each item so many milliseconds after it came: on the average, as timers are about a millisecond exact. */
function delayed<T>(latencyMs: number, give: (item: T) => unknown): (item: T) => unknown {
  if (latencyMs === 0) return give;
  const waiting: { item: T; dueAt: number }[] = [];
  let isTicking = false;
  const tick = (): void => {
    const until = performance.now() + 0.5;
    const later = waiting.findIndex(({ dueAt }) => dueAt > until);
    for (const { item } of waiting.splice(0, later < 0 ? waiting.length : later)) give(item);
    isTicking = waiting.length > 0;
    if (isTicking) setTimeout(tick, 1);
  };
  return (item) => {
    waiting.push({ item, dueAt: performance.now() + latencyMs });
    if (!isTicking) setTimeout(tick, 1);
    isTicking = true;
  };
}

if (import.meta.main) {
  const body = JSON.stringify({ ...COMPLETION, model: process.argv[2] ?? 'm' });
  const answer = Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}${HEAD_END}${body}`,
  );
  const [latencyMs, atOnce] = process.argv.slice(3).map(Number);
  const give = (socket: Socket): unknown => socket.write(answer);
  const later = delayed(latencyMs ?? 0, give);
  let left = atOnce ?? 0;
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    frame(socket, () => (left-- > 0 ? give : later)(socket));
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    console.log(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`);
  });
}
