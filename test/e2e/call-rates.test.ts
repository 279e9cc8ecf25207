import { afterEach, describe, expect, it } from 'vitest';
import { type Pools, startPools, startWeir, type Weir } from './weir.ts';

const MODEL = 'gpt-4o-mini';

describe('a call whose target has no room by its rates', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir.stop();
    await pools.stop();
  });

  async function open(limits: object): Promise<void> {
    pools = await startPools([{ models: [MODEL] }, { models: [MODEL] }]);
    const providers = Object.fromEntries(
      pools.servers.map(({ baseUrl }, index) => {
        const p = { kind: 'vllm', base_urls: [baseUrl], models: [MODEL], price: { input: 1, output: 2 } };
        return [`p${index}`, { ...p, ...(index === 0 && limits) }];
      }),
    );
    weir = await startWeir({ providers });
  }

  it.each([
    ['its provider’s', { limits: { requests_per_minute: 4 } }, {}],
    ['its own', {}, { limits: { requests_per_minute: 4 } }],
  ])(
    'goes to the next one without a long wait: %s',
    async (_whose, provider, target) => {
      await open(provider);
      const targets = [
        { provider: 'p0', model: MODEL, ...target },
        { provider: 'p1', model: MODEL },
      ];
      const config = { strategy: { mode: 'fallback' }, targets };
      const started = Date.now();
      for (let call = 0; call < 3; call++) {
        const messages = [{ role: 'user', content: `What is 2 + ${call}?` }];
        await weir.client.chat.completions.create({ model: MODEL, messages, config } as never);
      }
      expect(Date.now() - started).toBeLessThan(8_000);
      expect(pools.servers.map(({ counters }) => counters.received)).toEqual([1, 2]);
    },
    60_000,
  );
});
