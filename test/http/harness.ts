import { randomBytes } from 'node:crypto';
import { openMemoryFiles } from '../../src/files/memory.ts';
import { createApp } from '../../src/http/app.ts';
import type { Deps } from '../../src/ports/deps.ts';
import { DEFAULT_SETTINGS } from '../../src/ports/settings.ts';
import { NO_KEY_LIMITS } from '../../src/protocol/key.ts';
import { createAnswerCache } from '../../src/services/cache/answer-cache.ts';
import { openGates } from '../../src/services/gates/open-gates.ts';
import { createKeyLimiter } from '../../src/services/keys/limiter.ts';
import { hashSecret } from '../../src/services/keys/secret.ts';
import { lendDatabase } from '../contract/lent-database.ts';

export const ADMIN_SECRET = 'the-operators-own-admin-key';

export interface LogLine {
  level: string;
  fields: object;
  message: string;
}

export interface Harness {
  app: ReturnType<typeof createApp>;
  deps: Deps;
  log: LogLine[];
  /** The clock's time; it stands still unless moved. */
  time: { nowMs: number };
  /** Sends a request as the operator, or with the key given; `key: null` sends none. */
  send(method: string, path: string, options?: SendOptions): Promise<Response>;
  /** Makes a key over the API. */
  makeKey(input?: {
    role?: 'admin' | 'user';
    tenant_id?: string;
    limits?: object;
  }): Promise<{ id: string; secret: string }>;
  close(): Promise<void>;
}

export interface SendOptions {
  key?: string | null;
  json?: unknown;
  body?: RequestInit['body'];
  headers?: Record<string, string>;
}

/** The app over a real database of its own, with files in memory. */
export async function openHarness(changes: Partial<Deps> = {}): Promise<Harness> {
  const database = await lendDatabase();
  const store = await database.openStore();
  const log: LogLine[] = [];
  const time = { nowMs: 1_790_000_000_000 };
  const write = (level: string) => (fields: object, message: string) => {
    log.push({ level, fields, message });
  };
  const clock: Deps['clock'] = {
    now: () => time.nowMs,
    micros: () => (time.nowMs + performance.now()) * 1000,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        signal?.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
  const recording = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const base: Omit<Deps, 'gates'> = {
    store,
    files: openMemoryFiles(() => time.nowMs),
    http: {
      request: () => Promise.reject(new Error('no provider is called here')),
      stream: () => Promise.reject(new Error('no provider is called here')),
      close: () => Promise.resolve(),
    },
    fetch: () => Promise.reject(new Error('no provider batch is made here')),
    webhookSender: {
      check: () => Promise.resolve(),
      post: () => Promise.reject(new Error('no webhook is called here')),
      close: () => Promise.resolve(),
    },
    clock,
    random: { unit: Math.random, bytes: (length) => randomBytes(length) },
    log: recording,
    settings: DEFAULT_SETTINGS,
    providers: new Map(),
    configRoutes: new Map(),
    limiter: createKeyLimiter({ store, clock }, NO_KEY_LIMITS),
    answers: createAnswerCache({ store, clock, log: recording }),
    prices: new Map(),
    ownPrices: new Map(),
    nudge: () => undefined,
    adminKeyHash: hashSecret(ADMIN_SECRET),
    ...changes,
  };
  const deps: Deps = { ...base, gates: changes.gates ?? openGates(base) };
  const app = createApp(deps);
  const send: Harness['send'] = async (method, path, options = {}) => {
    const headers = new Headers(options.headers);
    const key = options.key === undefined ? ADMIN_SECRET : options.key;
    if (key !== null) headers.set('authorization', `Bearer ${key}`);
    if (options.json !== undefined) headers.set('content-type', 'application/json');
    const body = options.json === undefined ? options.body : JSON.stringify(options.json);
    return app.request(path, { method, headers, ...(body === undefined ? {} : { body }) });
  };
  return {
    app,
    deps,
    log,
    time,
    send,
    async makeKey(input = {}) {
      const answer = await send('POST', '/v1/keys', { json: { name: 'test', ...input } });
      return (await answer.json()) as { id: string; secret: string };
    },
    async close() {
      await store.close();
      database.giveBack();
    },
  };
}

/** The error of an answer in OpenAI's envelope; fails when it has another shape. */
export async function errorOf(answer: Response): Promise<{
  message: string;
  type: string;
  param: string | null;
  code: string | null;
}> {
  const body = (await answer.json()) as {
    error: { message: string; type: string; param: string | null; code: string | null };
  };
  const names = Object.keys(body.error).sort().join();
  if (names !== 'code,message,param,type') throw new Error(`not OpenAI's error: ${JSON.stringify(body)}`);
  return body.error;
}
