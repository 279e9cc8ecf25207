/** A running Weir with sandbox providers, for tests of the commands. */
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { BatchLedger } from '../../src/runtime/cli/account.ts';
import { startServer } from '../../src/runtime/node.ts';
import { type Ran, runCli, type TerminalOptions } from './cli-terminal.ts';

/** What commands about one batch print. */
export type BatchDocument = BatchObject & { ledger: BatchLedger; output_path: string | null };

export interface CliServer {
  url: string;
  /** A folder of the test's own. */
  folder: string;
  environment: Record<string, string>;
  /** Runs a command line against the server. */
  run(argv: readonly string[], options?: TerminalOptions): Promise<Ran>;
  /** Runs it and reads the one JSON document on its results. */
  json<T = BatchDocument>(argv: readonly string[], exitCode?: number): Promise<T>;
  /** Writes a batch file of requests that name the models in turn. */
  writeInput(name: string, models: readonly string[], count: number): Promise<string>;
  /** Writes a config file with these providers. */
  writeConfig(name: string, providers: Record<string, unknown>): Promise<string>;
  exists(path: string): Promise<boolean>;
  /** Starts an HTTP server that is no Weir; its URL. */
  startOther(): Promise<string>;
  stop(): Promise<void>;
}

/** An address where nothing listens: it was free a moment ago. */
export async function unusedUrl(): Promise<string> {
  const other = await startOther();
  await other.close();
  return other.url;
}

async function startOther(): Promise<{ url: string; close(): Promise<void> }> {
  const other = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      other.closeAllConnections();
      other.close();
      await once(other, 'close');
    },
  };
}

const CONFIG = {
  providers: {
    fast: { kind: 'sandbox', models: ['fast-model'], price: { input: 0.15, output: 0.6 } },
    cheap: { kind: 'sandbox', models: ['cheap-model'], price: { input: 0.01, output: 0.02 }, rate_500: 0.2 },
    broken: { kind: 'sandbox', models: ['broken-model'], poison: [{ contains: 'model', fail_with: 400 }] },
    locked: {
      kind: 'sandbox',
      models: ['locked-model'],
      price: { input: 1, output: 1 },
      poison: [{ contains: 'model', fail_with: 401 }],
    },
    stuck: { kind: 'sandbox', models: ['stuck-model'], latency_ms: 600_000, limits: { concurrency: 2 } },
  },
  routes: {
    both: {
      strategy: { mode: 'loadbalance' },
      targets: [
        { provider: 'fast', model: 'fast-model', weight: 60 },
        { provider: 'cheap', model: 'cheap-model', weight: 40 },
      ],
      retry: { attempts: 5 },
    },
  },
  settings: { drain_seconds: 1, outage_seconds: 5 },
};

export async function startCliServer(): Promise<CliServer> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-cli-'));
  const env = { WEIR_PORT: '0', WEIR_DATA_DIR: join(folder, 'data') };
  const server = await startServer({ env, config: CONFIG, quiet: true });
  const environment = { WEIR_URL: server.url, WEIR_API_KEY: server.adminKey ?? '' };
  const others: { close(): Promise<void> }[] = [];
  const run = (argv: readonly string[], options: TerminalOptions = {}) => runCli(argv, { environment, ...options });
  return {
    url: server.url,
    folder,
    environment,
    run,
    async json(argv, exitCode = 0) {
      const ran = await run([...argv, '--json']);
      if (ran.exitCode !== exitCode) throw new Error(`${argv.join(' ')} ended with ${ran.exitCode}: ${ran.notes}`);
      return JSON.parse(ran.out);
    },
    async writeInput(name, models, count) {
      const lines = Array.from({ length: count }, (_, index) => {
        const model = models[index % models.length];
        const body = { model, messages: [{ role: 'user', content: `What is ${index} times two?` }] };
        return JSON.stringify({ custom_id: `line-${index}`, method: 'POST', url: '/v1/chat/completions', body });
      });
      const path = join(folder, name);
      await writeFile(path, `${lines.join('\n')}\n`);
      return path;
    },
    async writeConfig(name, providers) {
      const path = join(folder, name);
      await writeFile(path, JSON.stringify({ providers }));
      return path;
    },
    exists: (path) =>
      stat(path).then(
        () => true,
        () => false,
      ),
    async startOther() {
      const other = await startOther();
      others.push(other);
      return other.url;
    },
    async stop() {
      await Promise.all(others.map((other) => other.close()));
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
