import { afterEach, describe, expect, it } from 'vitest';
import { createNodeHttpClient } from '../../../providers/shared/http-node.ts';
import { compileOwnPrice } from '../../../src/core/own-price.ts';
import { createApp } from '../../../src/http/app.ts';
import type { StoreLedger } from '../../../src/ports/store-ledger.ts';
import { type Pools, startPools } from '../../e2e/weir.ts';
import { errorOf, type Harness, openHarness } from '../../http/harness.ts';
import { until } from '../../providers/scripted-server.ts';
import { makeProvider } from '../model-server.ts';

describe('a call that is refused as its entry could not be kept', () => {
  let harness: Harness;
  let pools: Pools;
  afterEach(async () => {
    await harness.deps.http.close();
    await harness.close();
    await pools.stop();
  });

  it('is not sent, and gives back the tokens of its key and the dollars of its budget', async () => {
    pools = await startPools([{ models: ['m'] }]);
    const [server] = pools.servers;
    const entry = { kind: 'vllm', base_urls: [server!.baseUrl], models: ['m'] };
    const ownPrices = new Map([['p', compileOwnPrice({ input: 1, output: 1 })]]);
    const providers = new Map([makeProvider('p', entry)]);
    harness = await openHarness({ providers, ownPrices, http: createNodeHttpClient() });
    const { deps } = harness;
    const full = { disk: true };
    let tries = 0;
    const appendCalls: StoreLedger['appendCalls'] = async (...write) => {
      tries += 1;
      if (full.disk) throw new Error('SQLITE_FULL');
      await deps.store.ledger.appendCalls(...write);
    };
    const ledger = Object.assign(Object.create(deps.store.ledger) as StoreLedger, { appendCalls });
    const journals = {
      open: () => {
        throw new Error('ENOSPC');
      },
    } as unknown as NonNullable<typeof deps.journals>;
    // It stands still, so that nothing comes back to the key by itself.
    const clock = { ...deps.clock, micros: () => harness.time.nowMs * 1_000 };
    const app = createApp({ ...deps, clock, journals, store: { ...deps.store, ledger } });
    const limit = 100_000;
    const key = await harness.makeKey({ role: 'user', tenant_id: 'acme', limits: { tokens_per_minute: limit } });
    const made = await harness.send('POST', '/v1/budgets', {
      json: { limit_usd: '5', period: 'day' },
    });
    const { id } = (await made.json()) as { id: string };
    const call = (content: string) =>
      app.request('/v1/chat/completions', {
        method: 'POST',
        headers: { authorization: `Bearer ${key.secret}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content }], max_tokens: 10_000 }),
      });

    const held = call('one');
    await until(() => tries > 0);
    for (let again = 0; again < 3; again++) {
      const refused = await call('two');
      expect(refused.status).toBe(503);
      expect(refused.headers.get('retry-after')).toBe('5');
      expect((await errorOf(refused)).code).toBe('ledger_unavailable');
    }
    expect(server!.counters.received).toBe(1);
    full.disk = false;
    expect((await held).status).toBe(200);
    const after = await call('three');
    expect(after.status).toBe(200);
    // Only what is under way itself, and what the first one used, is missing.
    expect(Number(after.headers.get('x-ratelimit-remaining-tokens'))).toBeGreaterThan(limit - 12_000);
    const usage = async () =>
      ((await (await harness.send('GET', `/v1/budgets/${id}`)).json()) as { usage: Record<string, number> }).usage;
    await expect.poll(async () => (await usage()).held_nano_usd).toBe(0);
    expect((await usage()).spent_nano_usd).toBeGreaterThan(0);
  });
});
