import type { Counters } from '../../../providers/sandbox/servers/counters.ts';
import {
  type ServerOptions,
  type SimulatedServer,
  startOpenAICompatibleServer,
} from '../../../providers/sandbox/servers/openai-compatible.ts';

const DEADLINE_MS = 10_000;

/** Runs `test` against a fresh server and stops it afterwards. */
export async function withServer(
  options: ServerOptions,
  test: (server: SimulatedServer) => Promise<void>,
): Promise<void> {
  const server = await startOpenAICompatibleServer(options);
  try {
    await test(server);
  } finally {
    await server.stop();
  }
}

/** A chat body with the given user text. */
export function chat(content: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { model: 'sim-small', messages: [{ role: 'user', content }], ...more };
}

/** POSTs JSON and gives up at the deadline. */
export function post(
  server: SimulatedServer,
  path: string,
  body: unknown,
  init: { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Response> {
  return fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...init.headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal: init.signal ?? AbortSignal.timeout(DEADLINE_MS),
  });
}

export function postChat(
  server: SimulatedServer,
  content: string,
  more: Record<string, unknown> = {},
): Promise<Response> {
  return post(server, '/v1/chat/completions', chat(content, more));
}

/** Polls until the condition holds; fails at the deadline. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** How many received requests have come to an end, each counted in exactly one way. */
export function endedRequests(counters: Readonly<Counters>): number {
  const answered = [...counters.by_status.values()].reduce((sum, count) => sum + count, 0);
  const { resets, resets_mid_body: midBody, hangs, client_aborts: aborts, crash_cuts: cuts } = counters;
  return answered + resets + midBody + hangs + aborts + cuts;
}
