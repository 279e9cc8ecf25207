import { afterEach, describe, expect, it } from 'vitest';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, connect, type Pools, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const ask = (text: string, extra: object = {}) => ({
  model: 'kept',
  messages: [{ role: 'user' as const, content: text }],
  ...extra,
});

describe('the cache of a route', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function open(latencyMs = 0): Promise<void> {
    pools = await startPools([{ models: ['m'], latency_ms: latencyMs }]);
    const provider = {
      kind: 'vllm',
      base_urls: [pools.servers[0]?.baseUrl],
      models: ['m'],
      price: { input: 1, output: 2 },
      limits: { concurrency: 8 },
    };
    weir = await startWeir({
      providers: { p: provider },
      routes: { kept: { provider: 'p', model: 'm', cache: { mode: 'simple', max_age: 3600 } } },
    });
  }

  const received = (): number => pools.servers[0]?.counters.received ?? 0;
  const entries = async (): Promise<LedgerEntryObject[]> =>
    (await weir.call<{ data: LedgerEntryObject[] }>('/v1/ledger/entries?limit=100&order=asc')).data;

  it('gives an answer again for nothing, to the same tenant and the same question only', async () => {
    await open();
    const first = await weir.client.chat.completions.create(ask('Twice', { temperature: 0 }));
    // Kept beside the answer, within moments.
    await expect
      .poll(async () => {
        const { response } = await weir.client.chat.completions.create(ask('Twice', { temperature: 0 })).withResponse();
        return response.headers.get('x-weir-cache');
      })
      .toBe('hit');
    const sent = received();
    const { data: again, response } = await weir.client.chat.completions
      .create({ temperature: 0, ...ask('Twice'), metadata: { team: 'blue' } })
      .withResponse();
    expect([again.object, response.headers.get('x-weir-cost-nano-usd')]).toEqual(['chat.completion', '0']);
    expect(received()).toBe(sent);
    const paid = (await entries()).find(({ amount_nano_usd: amount }) => amount !== 0);
    expect((await entries()).at(-1)).toMatchObject({
      status: 'succeeded',
      amount_nano_usd: 0,
      list_amount_nano_usd: paid?.list_amount_nano_usd,
      tags: { team: 'blue' },
      usage: null,
    });
    expect(again.choices[0]?.message.content).toBe(first.choices[0]?.message.content);

    let text = '';
    const stream = await weir.client.chat.completions.create({ ...ask('Twice', { temperature: 0 }), stream: true });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe(first.choices[0]?.message.content);
    expect(received()).toBe(sent);

    await weir.client.chat.completions.create(ask('Twice', { temperature: 1 }));
    await weir.client.chat.completions.create(ask('Twice', { temperature: 0 }), { headers: { 'x-weir-cache': 'off' } });
    const { secret } = await weir.call<{ secret: string }>('/v1/keys', {
      method: 'POST',
      body: JSON.stringify({ name: 'other', tenant_id: 'other' }),
    });
    await connect(weir.url, secret).client.chat.completions.create(ask('Twice', { temperature: 0 }));
    expect(received()).toBe(sent + 3);
  });

  it('runs identical lines of a batch once, and accounts for each', async () => {
    await open(20);
    const input = chatLines(60, (index) => ask(`Question ${index % 12}`, { max_tokens: 64 }));
    const batch = await submit(weir, input, { config: 'kept' });
    const done = await waitForBatch(weir, batch.id);
    expect(done.request_counts).toEqual({ total: 60, completed: 60, failed: 0 });
    expect(received()).toBe(12);
    const { entries: booked } = await assertInvariants(weir, batch.id, input);
    expect(booked).toHaveLength(60);
    expect(booked.filter(({ amount_nano_usd: amount }) => amount === 0)).toHaveLength(48);
    expect(booked.every(({ list_amount_nano_usd: list }) => list !== null && list > 0)).toBe(true);
  });
});
