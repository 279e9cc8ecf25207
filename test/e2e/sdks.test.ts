import { createOpenAI } from '@ai-sdk/openai';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import {
  embedMany,
  generateText,
  experimental_getBatchResults as getBatchResults,
  experimental_getBatchStatus as getBatchStatus,
  experimental_startBatch as startBatch,
  streamText,
} from 'ai';
import { afterEach, describe, expect, it } from 'vitest';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { ADMIN_KEY, type Pools, startPools, startWeir, type Weir } from './weir.ts';

const BASES = ['/v1', '/batching/v1'] as const;

/** Tools of others as they are, with nothing but their base URL changed. */
describe('unchanged,', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function open(): Promise<void> {
    pools = await startPools([{ models: ['m'], poison: [{ contains: 'Poison', fail_with: 400 }] }]);
    const provider = {
      kind: 'vllm',
      base_urls: [pools.servers[0]?.baseUrl],
      models: ['m'],
      price: { input: 1, output: 2 },
    };
    const settings = { autobatch_wait_ms: 50, autobatch_window_seconds: 1 };
    weir = await startWeir({ providers: { p: provider }, settings });
  }

  /** Whatever was sent stands in the ledger, once and priced. */
  async function audit(requests: number, isBatched: boolean, failed = 0): Promise<void> {
    expect(pools.servers[0]?.counters.received).toBe(requests);
    const { data } = await weir.call<{ data: LedgerEntryObject[] }>('/v1/ledger/entries?limit=100');
    expect(data).toHaveLength(requests);
    const paid = data.filter(({ amount_nano_usd: amount }) => amount !== null && amount > 0);
    expect(paid).toHaveLength(requests - failed);
    expect(data.every(({ batch_id: batch }) => (batch !== null) === isBatched)).toBe(true);
  }

  it.each(BASES)("the Vercel AI SDK's generateText, streamText and embedMany work at %s", async (base) => {
    await open();
    const openai = createOpenAI({ baseURL: weir.url + base, apiKey: ADMIN_KEY });
    for (const model of [openai.chat('p/m'), openai('p/m')]) {
      const whole = await generateText({ model, prompt: 'What is 2 + 2?', maxOutputTokens: 500 });
      expect(whole.text).not.toBe('');
      expect(whole.finishReason).toBe('stop');
      expect(whole.usage.outputTokens).toBeGreaterThan(0);
      const streamed = streamText({ model, prompt: 'What is 3 + 3?', maxOutputTokens: 500 });
      let text = '';
      for await (const piece of streamed.textStream) text += piece;
      expect(text).not.toBe('');
      expect(text).toBe(await streamed.text);
      expect(await streamed.finishReason).toBe('stop');
      expect((await streamed.usage).totalTokens).toBeGreaterThan(0);
    }
    const { embeddings, usage } = await embedMany({ model: openai.embedding('p/m'), values: ['one', 'two', 'three'] });
    expect(embeddings.map((vector) => vector.length > 0)).toEqual([true, true, true]);
    expect(usage.tokens).toBeGreaterThan(0);
    const wrong = generateText({ model: openai.chat('nothing'), prompt: 'x', maxRetries: 0 });
    await expect(wrong).rejects.toMatchObject({ statusCode: 404 });
    await audit(5, base === BASES[1]);
  });

  it("the Vercel AI SDK's batches start, are looked at and bring their results", async () => {
    await open();
    const provider = createOpenAI({ baseURL: `${weir.url}/v1`, apiKey: ADMIN_KEY });
    const requests = Array.from({ length: 8 }, (_, index) => ({
      id: `q-${index}`,
      type: 'text' as const,
      model: 'p/m',
      // One fails alone.
      prompt: index === 5 ? 'Poison' : `What is ${index} + ${index}?`,
    }));
    const batch = await startBatch({ provider, requests });
    await expect
      .poll(async () => (await getBatchStatus({ provider, batch })).status, { timeout: 20_000 })
      .toBe('completed');
    const results = new Map<string, string>();
    for await (const result of getBatchResults({ provider, batch })) {
      results.set(result.id, result.status);
      if (result.status === 'succeeded' && result.type === 'text') expect(result.text).not.toBe('');
    }
    expect([...results.keys()].toSorted()).toEqual(requests.map(({ id }) => id));
    expect(results.get('q-5')).toBe('failed');
    expect([...results.values()].filter((status) => status === 'succeeded')).toHaveLength(7);
    await audit(8, true, 1);
  });

  it.each(BASES)("LangChain's ChatOpenAI and OpenAIEmbeddings work at %s", async (base) => {
    await open();
    const configuration = { baseURL: weir.url + base };
    const chat = new ChatOpenAI({ model: 'p/m', apiKey: ADMIN_KEY, maxTokens: 64, maxRetries: 0, configuration });
    const answer = await chat.invoke('What is 2 + 2?');
    expect(answer.text).not.toBe('');
    expect(answer.usage_metadata).toMatchObject({ total_tokens: expect.any(Number) as number });
    let streamed = '';
    for await (const chunk of await chat.stream('What is 3 + 3?')) streamed += chunk.text;
    expect(streamed).not.toBe('');
    const several = await chat.batch(['One?', 'Two?', 'Three?', 'Four?']);
    expect(several.map(({ text }) => text !== '')).toEqual([true, true, true, true]);
    const embeddings = new OpenAIEmbeddings({ model: 'p/m', apiKey: ADMIN_KEY, configuration });
    expect(await embeddings.embedDocuments(['one', 'two'])).toHaveLength(2);
    expect((await embeddings.embedQuery('three')).length).toBeGreaterThan(0);
    await audit(8, base === BASES[1]);
  });
});
