import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { priceFiles } from '../../config/prices/index.ts';
import { billedRegion, readUsage as readMessageUsage } from '../../providers/anthropic/usage.ts';
import { readConverseUsage } from '../../providers/bedrock/usage.ts';
import { readUsage as readOpenAIUsage } from '../../providers/openai/usage.ts';
import { usageFromGemini } from '../../providers/vertex/usage.ts';
import { compilePrices } from '../../src/core/price-book.ts';
import { priceUsage } from '../../src/core/pricing.ts';
import type { PriceMode } from '../../src/core/rates.ts';
import { totalInput, type Usage, type UsageReading } from '../../src/core/usage.ts';
import { found } from './price-files.ts';

const shipped = compilePrices(priceFiles);

interface Golden {
  note: string;
  price: { provider: string; model: string; mode: PriceMode; at: number; region?: string };
  body: unknown;
  expected: {
    usage: Usage | null;
    problems: string[];
    lines: [string, string, number, number, number][];
    amount_nano: number | null;
    list_amount_nano?: number | null;
    unpriced_reason: string | null;
  };
}

/** By the provider whose body it is. */
const readers: Record<string, (body: unknown) => UsageReading> = {
  anthropic: readMessageUsage,
  bedrock: readConverseUsage,
  vertex: usageFromGemini,
};

describe('golden responses', () => {
  const folder = new URL('../golden/usage/', import.meta.url);
  for (const name of readdirSync(folder)) {
    const golden = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Golden;
    it(`${name.replace('.json', '')}: ${golden.note}`, () => {
      const { body, price, expected } = golden;
      const { usage, raw, problems } = (readers[price.provider] ?? readOpenAIUsage)(body);
      expect({ usage, problems }).toEqual({ usage: expected.usage, problems: expected.problems });
      const billed = price.provider === 'anthropic' && raw !== null ? billedRegion(raw) : null;
      const region = billed ?? price.region;
      const asked = { ...price, region, isRegionBilled: billed !== null, inputTokens: totalInput(usage ?? {}) };
      const rates = found(shipped, asked);
      const list = expected.list_amount_nano === undefined ? expected.amount_nano : expected.list_amount_nano;
      expect(priceUsage({ usage, ...rates })).toEqual({
        amount_nano: expected.amount_nano,
        list_amount_nano: list,
        lines: expected.lines.map(([bucket, rate_name, count, rate, amount]) => ({
          bucket,
          rate_name,
          count,
          rate,
          amount,
        })),
        unpriced_reason: expected.unpriced_reason,
      });
    });
  }
});
