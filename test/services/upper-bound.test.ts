import { describe, expect, it } from 'vitest';
import { priceFiles } from '../../config/prices/index.ts';
import { openai } from '../../providers/openai/index.ts';
import type { Candidate } from '../../src/core/lane.ts';
import { compilePrices } from '../../src/core/price-book.ts';
import { statedOutputLimit } from '../../src/core/tokens.ts';
import { upperBound } from '../../src/services/budgets/upper-bound.ts';

describe('what a request may come to', () => {
  const settings = openai.settings.parse({ kind: 'openai', api_key: 'sk-test', models: ['gpt-4o-mini'] });
  const provider = openai.create('openai', settings);
  const deps = { providers: new Map([['openai', provider]]), prices: compilePrices(priceFiles), ownPrices: new Map() };
  const at = Date.UTC(2026, 11, 1) / 1000;

  function bound(more: object, overrides: Record<string, unknown> = {}): number {
    const body = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1_000, ...more };
    const request = { customId: 'a', endpoint: '/v1/chat/completions' as const, body };
    const candidate: Candidate = {
      ...{ provider: 'openai', model: 'gpt-4o-mini', mode: 'auto', weight: 1, enterOn: 'any', requestTimeoutMs: null },
      retry: { attempts: 0, onStatusCodes: [], useRetryAfter: true },
      params: { defaults: {}, overrides, drops: [] },
    };
    return upperBound(deps, [candidate], { request, tokens: 1_000 + statedOutputLimit(body) }, at);
  }

  it('is the price of the tier that is asked for, where that is dearer than the usual one', () => {
    const usual = bound({});
    expect(usual).toBe(1_000 * 150 + 1_000 * 600);
    expect(bound({ service_tier: 'priority' })).toBe(1_000 * 250 + 1_000 * 1_000);
    expect(bound({}, { service_tier: 'priority' })).toBe(bound({ service_tier: 'priority' }));
    // It may be served in the usual tier all the same.
    for (const tier of ['flex', 'auto', 'scale']) expect(bound({ service_tier: tier })).toBe(usual);
  });

  it('counts every answer that is written, and what the target makes of the request', () => {
    expect(bound({ n: 3 })).toBe(1_000 * 150 + 3_000 * 600);
    expect(bound({}, { max_tokens: 5_000 })).toBe(1_000 * 150 + 5_000 * 600);
    expect(bound({ max_tokens: 5_000 }, { max_tokens: 1_000 })).toBe(1_000 * 150 + 5_000 * 600);
    expect(bound({}, { n: 4 })).toBe(1_000 * 150 + 4_000 * 600);
  });
});
