/** A client that does not give up: it goes to whichever server answers, until one does. */
import type { Server } from './server.ts';

const PATIENCE_MS = 90_000;
const ANSWER_MS = 5_000;
const PAUSE_MS = 100;

export interface Answer {
  status: number;
  text: string;
}

export class Client {
  readonly key: string;
  private readonly servers: readonly Server[];
  private next = 0;

  constructor(servers: readonly Server[], key: string) {
    this.servers = servers;
    this.key = key;
  }

  /** The first answer that is the server's word on the request: no 5xx, no 429 but of a budget, no key that is in use. */
  async ask(
    path: string,
    init: { method?: string; body?: () => FormData | string; key?: string } = {},
  ): Promise<Answer> {
    const deadline = Date.now() + PATIENCE_MS;
    let last = 'no server is up';
    while (Date.now() < deadline) {
      const answer = await this.tryOnce(path, init).catch((error: unknown) => String(error));
      if (typeof answer === 'object') {
        const passes = answer.status === 429 && !answer.text.includes('insufficient_quota');
        if (answer.status < 500 && !passes && !answer.text.includes('idempotency_key_in_use')) return answer;
        last = `${answer.status} ${answer.text}`;
      } else last = answer;
      await new Promise((wake) => setTimeout(wake, PAUSE_MS));
    }
    throw new Error(`${init.method ?? 'GET'} ${path} has no answer in ${PATIENCE_MS / 1000} s: ${last}`);
  }

  /** The answer as JSON; anything but a success is an error. */
  async json<T>(path: string, init: Parameters<Client['ask']>[1] = {}): Promise<T> {
    const { status, text } = await this.ask(path, init);
    if (status !== 200 && status !== 201) throw new Error(`${init.method ?? 'GET'} ${path}: ${status} ${text}`);
    return JSON.parse(text) as T;
  }

  private async tryOnce(path: string, init: NonNullable<Parameters<Client['ask']>[1]>): Promise<Answer> {
    const server = this.servers[this.next++ % this.servers.length];
    const url = server?.url;
    if (!url) throw new Error('no server is up');
    const body = init.body?.();
    const response = await fetch(url + path, {
      method: init.method ?? 'GET',
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(typeof body === 'string' && { 'content-type': 'application/json' }),
        ...(init.key !== undefined && { 'idempotency-key': init.key }),
      },
      ...(body !== undefined && { body }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return { status: response.status, text: await response.text() };
  }
}
