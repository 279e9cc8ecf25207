import { describe, expect, it } from 'vitest';
import { startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import { ask, cacheServer } from './cache-server.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, realInput, startPools, startWeir, submit, waitForBatch } from './weir.ts';

describe('the cache of a route', () => {
  const cache = cacheServer();

  it('buys half of a file in which each line stands twice, also as native batches', async () => {
    cache.pools = await startPools([]);
    const provider = await startOpenAIBatchServer({ job_ms: 0 });
    try {
      const openai = { kind: 'openai', base_url: provider.baseUrl, api_key: 'sk-1', models: ['gpt-4o-mini'] };
      const route = { provider: 'openai', model: 'gpt-4o-mini', cache: { mode: 'simple' } };
      cache.weir = await startWeir({
        providers: { openai },
        routes: { kept: route },
        settings: { poll_seconds_min: 1 },
      });
      const once = await realInput();
      const input = once + once.replaceAll('"custom_id": "', '"custom_id": "again-');
      const lines = once.trimEnd().split('\n');
      const different = new Set(lines.map((line) => JSON.stringify((JSON.parse(line) as { body: object }).body))).size;
      const batch = await submit(cache.weir, input, { config: 'kept', window: '24h' });
      const ended = await waitForBatch(cache.weir, batch.id, { seconds: 60 });
      expect(ended.request_counts).toEqual({ total: 2 * lines.length, completed: 2 * lines.length, failed: 0 });
      expect(provider.counters.lines_run).toBe(different);
      const books = await assertInvariants(cache.weir, batch.id, input);
      const paid = books.entries.filter(({ amount_nano_usd: amount }) => amount !== 0);
      expect(paid).toHaveLength(different);
      const answers = books.lines.map(
        ({ response }) => (response?.body as { choices?: object[] } | undefined)?.choices,
      );
      expect(answers.slice(lines.length)).toEqual(answers.slice(0, lines.length));
      // What each saved is the batch's price of the one that was bought.
      const [first, twin] = [books.entries.find(({ line }) => line === 1), lines.length + 1];
      const saved = books.entries.find(({ line }) => line === twin);
      expect([saved?.amount_nano_usd, saved?.list_amount_nano_usd]).toEqual([0, first?.amount_nano_usd]);
    } finally {
      await provider.stop();
    }
  }, 90_000);

  it('gives answers again that came from a provider batch', async () => {
    cache.pools = await startPools([]);
    const provider = await startOpenAIBatchServer({ job_ms: 0 });
    try {
      const openai = { kind: 'openai', base_url: provider.baseUrl, api_key: 'sk-1', models: ['gpt-4.1-mini'] };
      const route = { provider: 'openai', model: 'gpt-4.1-mini', cache: { mode: 'simple' } };
      const settings = { poll_seconds_min: 1 };
      cache.weir = await startWeir({ providers: { openai }, routes: { kept: route }, settings });
      const input = chatLines(4, (index) => ({ ...ask(`Question ${index}`), max_tokens: 64 }));
      const batch = await submit(cache.weir, input, { config: 'kept', window: '24h' });
      await waitForBatch(cache.weir, batch.id);
      expect(provider.counters).toMatchObject({ batches_created: 1, lines_run: 4 });
      const { data, response } = await cache.weir.client.chat.completions
        .create(ask('Question 2', { max_tokens: 64 }))
        .withResponse();
      expect(response.headers.get('x-weir-cache')).toBe('hit');
      expect(data.choices[0]?.message.content).not.toBe('');
      const { entries: bought } = await assertInvariants(cache.weir, batch.id, input);
      const hit = (await cache.entries()).at(-1);
      expect([hit?.amount_nano_usd, hit?.batch_id]).toEqual([0, null]);
      // What it avoids is the price in real time, not the batch's.
      expect(hit?.list_amount_nano_usd).toBe(bought.find(({ line }) => line === 3)?.list_amount_nano_usd);
    } finally {
      await provider.stop();
    }
  });
});
