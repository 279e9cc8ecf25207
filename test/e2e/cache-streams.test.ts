import { describe, expect, it } from 'vitest';
import { ask, cacheServer } from './cache-server.ts';

describe('the cache of a route', () => {
  const cache = cacheServer();

  it('keeps finished streams, and gives them again as they were', async () => {
    await cache.open();
    const stream = async (path: 'chat' | 'responses', text: string): Promise<[string, string | null]> => {
      const heard =
        path === 'chat'
          ? await cache.weir.client.chat.completions.create({ ...ask(text), stream: true }).withResponse()
          : await cache.weir.client.responses.create({ model: 'kept', input: text, stream: true }).withResponse();
      let said = '';
      let ended = false;
      for await (const event of heard.data) {
        if ('choices' in event) {
          said += event.choices[0]?.delta.content ?? '';
          ended ||= event.choices[0]?.finish_reason === 'stop';
        } else if (event.type === 'response.output_text.delta') said += event.delta;
        else ended ||= event.type === 'response.completed';
      }
      expect(ended).toBe(true);
      return [said, heard.response.headers.get('x-weir-cache')];
    };
    for (const path of ['chat', 'responses'] as const) {
      const before = cache.received();
      const [first] = await stream(path, 'Streamed');
      expect(first).not.toBe('');
      let again = await stream(path, 'Streamed');
      // Kept within moments.
      await expect
        .poll(async () => {
          again = await stream(path, 'Streamed');
          return again[1];
        })
        .toBe('hit');
      expect(again[0]).toBe(first);
      const sent = cache.received();
      expect(sent - before).toBeLessThan(10);
      if (path === 'chat') {
        const whole = await cache.weir.client.chat.completions.create(ask('Streamed'));
        expect(whole.choices[0]?.message.content).toBe(first);
        expect(whole.usage?.total_tokens).toBeGreaterThan(0);
      }
      expect(cache.received()).toBe(sent);
    }
  });

  it('lets calls that stream the same listen to one stream, from its beginning and to its end', async () => {
    await cache.open();
    cache.pools.servers[0]?.configure({ latency_ms: { base: 100, per_token: 15 } });
    interface Listener {
      said: string;
      usages: number;
      hit: boolean;
      ended: boolean;
    }
    const listen = async (until = Number.POSITIVE_INFINITY, usage = false): Promise<Listener> => {
      const options = usage ? { stream_options: { include_usage: true } } : {};
      const { data, response } = await cache.weir.client.chat.completions
        .create({ ...ask('Together'), ...options, stream: true })
        .withResponse();
      const heard = { said: '', usages: 0, hit: response.headers.get('x-weir-cache') === 'hit', ended: false };
      for await (const chunk of data) {
        heard.said += chunk.choices[0]?.delta.content ?? '';
        if (chunk.usage) heard.usages += 1;
        heard.ended ||= chunk.choices[0]?.finish_reason === 'stop';
        if (heard.said.length > until) break;
      }
      return heard;
    };
    // The first one leaves after some words; one joins when it has left.
    const first = listen(10);
    await expect.poll(cache.received, { interval: 10 }).toBe(1);
    const others = Array.from({ length: 4 }, (_, index) => listen(Number.POSITIVE_INFINITY, index === 0));
    const left = await first;
    const late = await Promise.all([...others, listen()]);
    const sent = cache.received();
    expect([sent, left.hit, left.ended]).toEqual([1, false, false]);
    expect(late.map(({ hit, ended }) => [hit, ended])).toEqual(Array.from({ length: 5 }, () => [true, true]));
    expect(late.map(({ usages }) => usages)).toEqual([1, 0, 0, 0, 0]);
    expect(new Set(late.map(({ said }) => said)).size).toBe(1);
    expect(late[0]?.said.startsWith(left.said)).toBe(true);
    const booked = await cache.entries();
    expect(booked.map(({ status, estimated }) => [status, estimated])).toEqual(
      Array.from({ length: 6 }, () => ['succeeded', false]),
    );
    const paid = booked.filter(({ amount_nano_usd: amount }) => amount !== 0);
    expect(paid).toHaveLength(1);
    expect(paid[0]?.usage?.output_tokens).toBe(cache.pools.servers[0]?.counters.tokens_out);
    expect(new Set(booked.map(({ list_amount_nano_usd: list }) => list))).toEqual(new Set([paid[0]?.amount_nano_usd]));

    // All leave: the stream is given up, and entered once, as far as it was heard.
    let begun = 0;
    const all = Promise.withResolvers<void>();
    const begin = (): Promise<void> => {
      begun += 1;
      if (begun === 3) all.resolve();
      return all.promise;
    };
    await Promise.all([1, 2, 3].map(() => listenTo('Given up', begin)));
    await expect.poll(() => cache.pools.servers[0]?.counters.client_aborts).toBe(1);
    await expect.poll(async () => (await cache.entries()).length).toBe(7);
    const unknown = async () =>
      (await cache.entries()).flatMap(({ status, error_code: code }) => (status === 'unknown' ? [code] : []));
    expect(await unknown()).toEqual(['client_disconnected']);

    // What fails before its first word fails for each; what breaks off after it does so for all.
    cache.pools.servers[0]?.configure({ poison: [{ contains: 'Failing', fail_with: 400 }] });
    const failing = await Promise.allSettled([1, 2, 3].map(() => listenTo('Failing')));
    expect(failing.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    const before = cache.received();
    cache.pools.servers[0]?.configure({ rate_reset_mid_body: 1 });
    const broken = await Promise.allSettled([1, 2, 3].map(() => listenTo('Broken')));
    expect(broken.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(cache.received()).toBeLessThan(before + 3);
    await expect.poll(async () => (await unknown()).length).toBeGreaterThan(1);
  });

  /** Listens to a stream; with `leave`, only until it resolves, which is asked for when the first words are there. */
  async function listenTo(text: string, leave?: () => Promise<void>): Promise<void> {
    for await (const chunk of await cache.weir.client.chat.completions.create({ ...ask(text), stream: true })) {
      if (leave === undefined || !chunk.choices[0]?.delta.content) continue;
      await leave();
      break;
    }
  }
});
