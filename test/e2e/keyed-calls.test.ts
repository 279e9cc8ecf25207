import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { ask, post } from './answers.ts';
import { type Pools, startPools, startWeir, temporaryFolder, type Weir } from './weir.ts';

const KEY = { 'idempotency-key': 'call-1' };
const BODY = { model: 'p/m', messages: [{ role: 'user', content: 'What is 2 + 2?' }] };
const SLOW_MS = 700;

describe('a synchronous call under an Idempotency-Key', () => {
  let pools: Pools;
  let weir: Weir;
  let folder: string;

  beforeEach(async () => {
    pools = await startPools([{ models: ['m'], latency_ms: SLOW_MS }]);
    folder = await temporaryFolder();
    weir = await open();
  });
  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function open(): Promise<Weir> {
    const base_urls = [pools.servers[0]?.baseUrl];
    const price = { input: 0.15, output: 0.6 };
    const providers = { p: { kind: 'vllm', base_urls, models: ['m'], price } };
    return startWeir({ providers, settings: { drain_seconds: 0 } }, { folder });
  }

  const received = (): number => pools.servers[0]?.counters.received ?? 0;
  const entries = async (): Promise<LedgerEntryObject[]> => {
    const { body } = await ask(weir, '/v1/ledger/entries?limit=100');
    return body.data as LedgerEntryObject[];
  };
  /** Asks, and leaves as soon as the provider has the call. */
  async function leave(path: string, body: object): Promise<void> {
    const [before, patience] = [received(), new AbortController()];
    const asked = fetch(weir.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${weir.client.apiKey}`, 'content-type': 'application/json', ...KEY },
      body: JSON.stringify(body),
      signal: patience.signal,
    });
    await expect.poll(received).toBe(before + 1);
    patience.abort();
    await expect(asked).rejects.toThrow('aborted');
  }
  async function insist(path: string, body: object): ReturnType<typeof ask> {
    for (;;) {
      const answer = await post(weir, path, body, KEY);
      if (answer.status !== 409) return answer;
      expect(answer.headers.get('retry-after')).toBe('1');
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }

  it.each([
    ['/v1/chat/completions', BODY],
    ['/v1/messages', { ...BODY, max_tokens: 16 }],
  ])('is bought once on %s, though the client leaves before its answer and asks again', async (path, body) => {
    await leave(path, body);
    const answer = await insist(path, body);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('idempotent-replayed')).toBe('true');
    expect(received()).toBe(1);
    expect((await entries()).map(({ status }) => status)).toEqual(['succeeded']);
    expect(pools.servers[0]?.counters.client_aborts).toBe(0);
  });

  it('ends with its client when it is streamed, as a stream is not remembered', async () => {
    await leave('/v1/chat/completions', { ...BODY, stream: true });
    await expect.poll(() => pools.servers[0]?.counters.client_aborts).toBe(1);
  });

  it('that goes on without its client is cut and entered when the server stops', async () => {
    await leave('/v1/chat/completions', BODY);
    await weir.stop();
    expect(pools.servers[0]?.counters.client_aborts).toBe(1);
    weir = await open();
    expect((await entries()).map(({ status }) => status)).toEqual(['unknown']);
  });
});
