import { describe, expect, it } from 'vitest';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import { describeProvider } from './conformance.ts';
import { createProvider, problemsOf } from './kinds.ts';

const secret = 'sandbox-key-canary';

describeProvider({
  kind: 'sandbox',
  model: 'sim-small',
  secret,
  async start(options) {
    const provider = createProvider('sandbox', { api_key: secret, ...options });
    return { provider, stop: async () => provider.close?.() };
  },
  // It calls no server but its own.
  at: null,
});

describe('a sandbox', () => {
  it('starts its server with the first call only, and stops it for good', async () => {
    const http = createNodeHttpClient();
    const provider = createProvider('sandbox', { models: ['a', 'b'] });
    expect(provider.models).toEqual(['a', 'b']);
    const call = {
      http,
      member: provider.immediate?.members[0] ?? '',
      timeoutMs: 5000,
      maxResponseBytes: 1e6,
      nowMs: 0,
    };
    expect(await provider.listModels?.(call)).toEqual(['a', 'b']);
    await provider.close?.();
    const after = await provider.immediate?.execute({ endpoint: '/v1/embeddings', model: 'a', body: '{}' }, call);
    expect(after).toMatchObject({ ok: false, failure: { kind: 'connection', reachedProvider: false } });
    expect(await provider.immediate?.healthy?.(call)).toBe(false);
    await http.close();
  });

  it('may be closed without ever having run', async () => {
    await expect(createProvider('sandbox', {}).close?.()).resolves.toBeUndefined();
  });

  it('takes the options of the simulated server beside limits and price', () => {
    const entry = {
      latency_ms: { min: 5, max: 9 },
      slots: 4,
      rate_429: 0.1,
      limits: { concurrency: 8 },
      price: { input: 1, output: 2 },
    };
    expect(createProvider('sandbox', entry).limits.concurrency).toBe(8);
    expect(problemsOf('sandbox', { rate_429: 2 })).toEqual([expect.stringContaining('rate_429')]);
    expect(problemsOf('sandbox', { rate_418: 1 })).toEqual([expect.stringContaining('rate_418')]);
    expect(problemsOf('sandbox', { rate_429: 0.6, rate_500: 0.6 })).toEqual([expect.stringContaining('add up')]);
  });
});
