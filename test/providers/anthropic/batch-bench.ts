import { afterEach } from 'vitest';
import {
  type BatchCall,
  type BatchResult,
  type ProviderBatch,
  ProviderError,
  type ProviderRefs,
  type ShardInput,
} from '../../../providers/contract.ts';
import { createNodeHttpClient } from '../../../providers/shared/http-node.ts';
import type { Failure } from '../../../src/core/failure.ts';
import type { Endpoint } from '../../../src/protocol/endpoint.ts';
import { type AnthropicBench, model, startAnthropic } from './bench.ts';

export const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

export const longToken = 'weir-installation-0123456789abcdef0123456789-tok';

export class Bench {
  readonly server: AnthropicBench['server'];
  readonly provider: AnthropicBench['provider'];
  readonly http = createNodeHttpClient();
  saved: ProviderRefs = {};
  nowMs = Date.now();

  constructor({ server, provider }: AnthropicBench) {
    this.server = server;
    this.provider = provider;
    cleanups.push(async () => {
      await this.http.close();
      await server.stop();
    });
  }

  get api() {
    const { batch } = this.provider;
    if (batch === undefined) throw new Error('no batch service');
    return batch;
  }

  call(): BatchCall {
    const saved = async (refs: ProviderRefs) => {
      this.saved = { ...this.saved, ...refs };
    };
    return { http: this.http, fetch, timeoutMs: 5000, maxResponseBytes: 4e6, nowMs: this.nowMs, saved };
  }

  line(key: string, endpoint: Endpoint = '/v1/chat/completions', changes: object = {}): string {
    const body =
      endpoint === '/v1/responses' ? { input: key } : { messages: [{ role: 'user', content: key }], max_tokens: 99 };
    const converted = this.provider.convert({ customId: key, endpoint, body: { ...body, ...changes } }, model);
    if (!converted.ok) throw new Error(converted.failure.message);
    return this.api.line(key, converted.request);
  }

  input(token: string, lines: readonly string[], endpoint: Endpoint = '/v1/chat/completions'): ShardInput {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    async function* open() {
      // Odd pieces: keys, prefixes and line feeds are cut in every place.
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
    }
    return { token, endpoint, model, lines: lines.length, bytes: bytes.length, open, options: {} };
  }

  async submit(token: string, keys: readonly string[]) {
    return this.api.submit(
      this.input(
        token,
        keys.map((key) => this.line(key)),
      ),
      this.call(),
    );
  }

  async collect(batch: ProviderBatch): Promise<BatchResult[]> {
    const all: BatchResult[] = [];
    for await (const result of this.api.results(batch, this.call())) all.push(result);
    return all;
  }
}

export async function start(...parameters: Parameters<typeof startAnthropic>): Promise<Bench> {
  return new Bench(await startAnthropic(...parameters));
}

export async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof ProviderError) return error.failure;
  throw new Error(`no ProviderError: ${String(error)}`);
}

export const keys = (count: number, prefix = 'r-') => Array.from({ length: count }, (_, index) => prefix + index);
