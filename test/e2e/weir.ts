import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import OpenAI from 'openai';
import type { LiveOptions } from '../../providers/sandbox/servers/openai-compatible.ts';
import {
  type SimulatedServer,
  startOpenAICompatibleServer,
} from '../../providers/sandbox/servers/openai-compatible.ts';
import { ALLOCATOR, FLAGS } from '../../src/runtime/cli/frugal.js';
import { startServer } from '../../src/runtime/node.ts';
import { newDataFolder, temporaryFolder } from './data-folder.ts';

export { temporaryFolder };

export const ADMIN_KEY = 'test-admin-key';
const REAL_LINES = 1_319;
const ROOT = resolve(import.meta.dirname, '../..');

/** What a test holds of a running Weir, in this process or in one of its own. */
export interface Weir {
  url: string;
  client: OpenAI;
  /** GET or POST of a path, as JSON; throws on an HTTP error unless `status` is expected. */
  call<T = Record<string, unknown>>(path: string, init?: RequestInit): Promise<T>;
  stop(): Promise<void>;
}

export function connect(url: string, key = ADMIN_KEY): Omit<Weir, 'stop'> {
  return {
    url,
    client: new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0, timeout: 60_000 }),
    async call<T>(path: string, init: RequestInit = {}): Promise<T> {
      const headers = {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        ...(init.headers as Record<string, string>),
      };
      const response = await fetch(url + path, { ...init, headers });
      if (!response.ok) throw new Error(`${init.method ?? 'GET'} ${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as T;
    },
  };
}

/** Starts Weir in this process, on a folder that is removed at the end. */
export async function startWeir(
  config: object,
  options: { folder?: string; env?: Record<string, string> } = {},
): Promise<Weir> {
  const folder = options.folder ?? (await newDataFolder());
  const server = await startServer({
    env: { WEIR_PORT: '0', WEIR_DATA_DIR: folder, WEIR_ADMIN_KEY: ADMIN_KEY, ...options.env },
    config,
    quiet: true,
  });
  return {
    ...connect(server.url),
    async stop() {
      await server.stop();
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Weir in a process of its own, so that it can be killed. */
export interface WeirProcess extends Omit<Weir, 'stop'> {
  child: ChildProcess;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  /** Ends it as an operator would. */
  terminate(): Promise<void>;
}

interface SpawnOptions {
  env?: Record<string, string>;
  /** A module that the process loads first; it is then given a channel for messages. */
  preload?: string;
  /** What starts it: a program that becomes the one that its last arguments name. */
  by?: readonly [string, ...string[]];
}

export async function spawnWeir(
  configPath: string,
  folder: string,
  { env = {}, preload, by }: SpawnOptions = {},
): Promise<WeirProcess> {
  const program = [join(ROOT, 'src/runtime/cli/launch.js'), 'serve'];
  // A server with a channel cannot start itself anew, so that it has what launch.js would give it from the first.
  const flags = preload === undefined ? [] : [...FLAGS, '--import', preload];
  const [file, ...args] = [...(by ?? []), process.execPath, ...flags, ...program];
  const child = spawn(file ?? process.execPath, args, {
    cwd: ROOT,
    env: {
      ...process.env,
      ...(preload !== undefined && ALLOCATOR),
      WEIR_PORT: '0',
      WEIR_DATA_DIR: folder,
      WEIR_CONFIG: configPath,
      WEIR_ADMIN_KEY: ADMIN_KEY,
      WEIR_LOG_LEVEL: 'warn',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', ...(preload === undefined ? [] : ['ipc' as const])],
  });
  const url = await readUrl(child).catch(async (error: unknown) => {
    // A start that takes too long must not come after all, beside the one that is tried next.
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    throw error;
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  return { ...connect(url), child, kill: () => end('SIGKILL'), terminate: () => end('SIGTERM') };
}

function readUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolveUrl, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error(`no address within 30 s: ${text}`)), 30_000);
    const take = (chunk: Buffer): void => {
      text += chunk.toString('utf8');
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0];
      if (!url) return;
      clearTimeout(timer);
      resolveUrl(url);
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('exit', (code) => reject(new Error(`exited with ${code}: ${text}`)));
  });
}

export interface Pools {
  servers: SimulatedServer[];
  stop(): Promise<void>;
}

/** Starts simulated servers, one for each set of options. */
export async function startPools(options: (LiveOptions & { answer?: never })[]): Promise<Pools> {
  const servers = await Promise.all(options.map((each) => startOpenAICompatibleServer(each)));
  return {
    servers,
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** A config with one provider per server and a route `split` over all of them with the given weights. */
export function splitConfig(
  urls: readonly string[],
  weights: readonly number[],
  extra: { settings?: object; price?: object; limits?: object; retry?: object } = {},
): Record<string, unknown> {
  const names = urls.map((_, index) => `pool-${'abcdefgh'[index]}`);
  return {
    providers: Object.fromEntries(
      urls.map((url, index) => [
        names[index],
        {
          kind: 'vllm',
          base_urls: [url],
          models: ['gpt-4o-mini'],
          price: extra.price ?? { input: 0.15, output: 0.6 },
          limits: extra.limits ?? { concurrency: 32 },
        },
      ]),
    ),
    routes: {
      split: {
        strategy: { mode: 'loadbalance' },
        targets: names.map((provider, index) => ({ provider, model: 'gpt-4o-mini', weight: weights[index] })),
        ...(extra.retry && { retry: extra.retry }),
      },
    },
    ...(extra.settings && { settings: extra.settings }),
  };
}

/** Lines of the real batch file (1,319 of GSM8K) when it is there, else as many of the demo's. */
export async function realInput(lines = REAL_LINES): Promise<string> {
  const shared = resolve(ROOT, '../shared/data/gsm8k-test.batch.jsonl');
  const own = join(ROOT, 'config/demo/requests.jsonl');
  const kept = (await readFile(existsSync(shared) ? shared : own, 'utf8'))
    .trimEnd()
    .split('\n')
    // Not every provider takes a format; mixed-lines.ts has those.
    .filter((line) => !line.includes('"response_format"'));
  const text = Array.from({ length: lines }, (_, index) => {
    const line = kept[index % kept.length] ?? '';
    const round = Math.floor(index / kept.length);
    return round === 0 ? line : line.replace('"custom_id": "', `"custom_id": "${round}-`);
  });
  return `${text.join('\n')}\n`;
}

/** A file of `count` small chat requests. */
export function chatLines(count: number, change: (index: number) => object = () => ({})): string {
  return Array.from({ length: count }, (_, index) => {
    const body = {
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: `Question ${index}: what is ${index} + ${index}?` }],
      max_tokens: 64,
      ...change(index),
    };
    return JSON.stringify({ custom_id: `request-${index}`, method: 'POST', url: '/v1/chat/completions', body });
  })
    .join('\n')
    .concat('\n');
}

/** Uploads `text` and starts a batch on it. */
export async function submit(
  weir: Pick<Weir, 'client'>,
  text: string,
  options: { config?: string | object; window?: string; endpoint?: string; metadata?: Record<string, string> } = {},
): Promise<OpenAI.Batch> {
  const file = await weir.client.files.create({ file: new File([text], 'input.jsonl'), purpose: 'batch' });
  return weir.client.batches.create({
    input_file_id: file.id,
    endpoint: (options.endpoint ?? '/v1/chat/completions') as '/v1/chat/completions',
    completion_window: (options.window ?? 'immediate') as '24h',
    ...(options.metadata && { metadata: options.metadata }),
    ...(options.config !== undefined && { config: options.config }),
  } as OpenAI.BatchCreateParams);
}

const TERMINAL = ['completed', 'failed', 'expired', 'cancelled'];
const POLL_MS = 20;
const POLL_MS_MAX = 200;

/**
 * Polls until the batch satisfies `until` (default: has ended); fails after `seconds`. Each look takes the processor from
 * what is looked at: an end, which stays, is seen a tenth of the time too late; what may pass, at once.
 */
export async function waitForBatch(
  weir: Pick<Weir, 'client'>,
  id: string,
  options: {
    seconds?: number;
    everyMs?: number | ((batch: OpenAI.Batch) => number);
    until?: (batch: OpenAI.Batch) => boolean;
  } = {},
): Promise<OpenAI.Batch> {
  const until = options.until ?? ((batch) => TERMINAL.includes(batch.status));
  const begun = Date.now();
  const deadline = begun + (options.seconds ?? 30) * 1000;
  const pause = (): number =>
    options.until ? POLL_MS : Math.min(POLL_MS_MAX, Math.max(POLL_MS, (Date.now() - begun) / 10));
  for (;;) {
    const batch = await weir.client.batches.retrieve(id);
    if (until(batch)) return batch;
    if (Date.now() > deadline) throw new Error(`batch stays ${batch.status}: ${JSON.stringify(batch.request_counts)}`);
    const { everyMs = pause() } = options;
    await new Promise((wake) => setTimeout(wake, typeof everyMs === 'number' ? everyMs : everyMs(batch)));
  }
}
