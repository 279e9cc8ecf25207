import { describe, expect, it } from 'vitest';
import { ask, cacheServer } from './cache-server.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, connect, submit, waitForBatch } from './weir.ts';

describe('the cache of a route', () => {
  const cache = cacheServer();

  it('holds for a key that asks for it, whatever its routes say, and for no other', async () => {
    await cache.open();
    const makeKey = async (limits: object): Promise<ReturnType<typeof connect>> => {
      const body = JSON.stringify({ name: 'evaluator', tenant_id: 'team', limits });
      const { secret } = await cache.weir.call<{ secret: string }>('/v1/keys', { method: 'POST', body });
      return connect(cache.weir.url, secret);
    };
    const keeps = await makeKey({ cache_seconds: 600 });
    const pays = await makeKey({});
    const input = chatLines(20, (index) => ({ model: 'p/m', messages: ask(`Question ${index % 5}`).messages }));
    const batch = await submit(keeps, input);
    await waitForBatch(keeps, batch.id);
    expect(cache.received()).toBe(5);
    await assertInvariants(keeps, batch.id, input);
    const { messages } = ask('Question 3');
    const call = { model: 'p/m', messages, max_tokens: 64 };
    const { response } = await keeps.client.chat.completions.create(call).withResponse();
    expect(response.headers.get('x-weir-cache')).toBe('hit');
    const other = await pays.client.chat.completions.create(call).withResponse();
    expect(other.response.headers.get('x-weir-cache')).toBeNull();
    expect(cache.received()).toBe(6);
  });

  it('takes nothing of the tokens a minute that its key may use', async () => {
    await cache.open();
    const limits = { cache_seconds: 600, tokens_per_minute: 40_000 };
    const body = JSON.stringify({ name: 'evaluator', tenant_id: 'team', limits });
    const { secret } = await cache.weir.call<{ secret: string }>('/v1/keys', { method: 'POST', body });
    const key = connect(cache.weir.url, secret);
    // Bought one by one, they would take five minutes.
    const messages = [{ role: 'user', content: 'Say it again. '.repeat(300) }];
    const batch = await submit(
      key,
      chatLines(200, () => ({ model: 'p/m', messages, max_tokens: 16 })),
    );
    expect(await waitForBatch(key, batch.id)).toMatchObject({ status: 'completed' });
    expect(cache.received()).toBe(1);
  });
});
