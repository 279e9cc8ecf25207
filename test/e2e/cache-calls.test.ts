import { describe, expect, it } from 'vitest';
import { ask, cacheServer } from './cache-server.ts';
import { connect } from './weir.ts';

describe('the cache of a route', () => {
  const cache = cacheServer();

  it('gives an answer again for nothing, to the same tenant and the same question only', async () => {
    await cache.open();
    const first = await cache.weir.client.chat.completions.create(ask('Twice', { temperature: 0 }));
    // Kept beside the answer, within moments.
    await expect
      .poll(async () => {
        const { response } = await cache.weir.client.chat.completions
          .create(ask('Twice', { temperature: 0 }))
          .withResponse();
        return response.headers.get('x-weir-cache');
      })
      .toBe('hit');
    const sent = cache.received();
    const { data: again, response } = await cache.weir.client.chat.completions
      .create({ temperature: 0, ...ask('Twice'), metadata: { team: 'blue' } })
      .withResponse();
    expect([again.object, response.headers.get('x-weir-cost-nano-usd')]).toEqual(['chat.completion', '0']);
    expect(cache.received()).toBe(sent);
    const paid = (await cache.entries()).find(({ amount_nano_usd: amount }) => amount !== 0);
    expect((await cache.entries()).at(-1)).toMatchObject({
      status: 'succeeded',
      amount_nano_usd: 0,
      list_amount_nano_usd: paid?.list_amount_nano_usd,
      tags: { team: 'blue' },
      usage: null,
    });
    expect(again.choices[0]?.message.content).toBe(first.choices[0]?.message.content);

    let text = '';
    const stream = await cache.weir.client.chat.completions.create({
      ...ask('Twice', { temperature: 0 }),
      stream: true,
    });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe(first.choices[0]?.message.content);
    expect(cache.received()).toBe(sent);

    await cache.weir.client.chat.completions.create(ask('Twice', { temperature: 1 }));
    await cache.weir.client.chat.completions.create(ask('Twice', { temperature: 0 }), {
      headers: { 'x-weir-cache': 'off' },
    });
    const { secret } = await cache.weir.call<{ secret: string }>('/v1/keys', {
      method: 'POST',
      body: JSON.stringify({ name: 'other', tenant_id: 'other' }),
    });
    await connect(cache.weir.url, secret).client.chat.completions.create(ask('Twice', { temperature: 0 }));
    expect(cache.received()).toBe(sent + 3);
  });

  it('buys what follows an answer that did not serve once for calls, side by side and later', async () => {
    await cache.open(50);
    const config = {
      provider: 'p',
      model: 'm',
      cache: { mode: 'simple', max_age: 3600 },
      on_truncation: { action: 'retry', max_tokens_factor: 16, attempts: 2 },
    };
    const create = () =>
      cache.weir.client.chat.completions
        .create(ask('Cut short', { max_tokens: 4 }), { headers: { 'x-weir-config': JSON.stringify(config) } })
        .withResponse();
    const answers = await Promise.all([create(), create(), create()]);
    answers.push(await create());
    for (const { data } of answers) expect(data.choices[0]?.finish_reason).toBe('stop');
    const hits = answers.map(({ response }) => response.headers.get('x-weir-cache')).filter((hit) => hit === 'hit');
    expect(hits).toHaveLength(3);
    expect(cache.received()).toBeGreaterThan(1);
    expect(cache.received()).toBeLessThan(4);
    const booked = await cache.entries();
    expect(booked.filter(({ amount_nano_usd: amount }) => amount !== 0)).toHaveLength(cache.received());
    expect(booked).toHaveLength(4 * cache.received());
    expect(booked.every(({ list_amount_nano_usd: list }) => (list ?? 0) > 0)).toBe(true);
  });

  it('sends calls that are alike and come side by side once, and one that fails for each', async () => {
    await cache.open(150);
    const sideBySide = Array.from({ length: 12 }, () =>
      cache.weir.client.chat.completions.create(ask('Alike')).withResponse(),
    );
    const answers = await Promise.all(sideBySide);
    expect(cache.received()).toBe(1);
    expect(new Set(answers.map(({ data }) => data.id)).size).toBe(1);
    const hits = answers.filter(({ response }) => response.headers.get('x-weir-cache') === 'hit');
    expect(hits).toHaveLength(11);
    const booked = await cache.entries();
    expect(booked).toHaveLength(12);
    expect(booked.filter(({ amount_nano_usd: amount }) => amount === 0)).toHaveLength(11);
    expect(new Set(booked.map(({ list_amount_nano_usd: list }) => list)).size).toBe(1);

    cache.pools.servers[0]?.configure({ poison: [{ contains: 'Failing', fail_with: 400 }] });
    const failing = Array.from({ length: 3 }, () => cache.weir.client.chat.completions.create(ask('Failing')));
    const failed = await Promise.allSettled(failing);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(cache.received()).toBe(4);
  });
});
