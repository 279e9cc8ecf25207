import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileOwnPrice, findOwnRates } from '../../src/core/own-price.ts';
import { priceUsage } from '../../src/core/pricing.ts';
import type { RateCard } from '../../src/core/rates.ts';
import { type Usage, usageBuckets } from '../../src/core/usage.ts';

const card: RateCard = { input: 3_000_000_000, output: 15_000_000_000 };

describe('priceUsage', () => {
  const price = (usage: Usage | null, rates: RateCard, succeeded?: boolean) =>
    priceUsage({ usage, rates, list_rates: rates, ...(succeeded !== undefined && { succeeded }) });

  it('rounds half-even once per line', () => {
    const rates = { input: 17_500_000, output: 500_000 };
    expect(price({ input_tokens: 1 }, rates).amount_nano).toBe(18);
    expect(price({ input_tokens: 3 }, rates).amount_nano).toBe(52);
    expect(price({ output_tokens: 1, reasoning_tokens: 1 }, rates).amount_nano).toBe(0);
    expect(price({ output_tokens: 3, reasoning_tokens: 3 }, rates).amount_nano).toBe(4);
  });

  it('is the exact sum of its lines, each within half a nano-dollar of the rational price', () => {
    const rates: RateCard = {
      ...card,
      cached_input: 333_333_333,
      cache_write_1h: 7,
      input_audio: 1,
      output_audio: 1,
      output_image: 3,
    };
    Object.assign(rates, { web_search: 1_000_001, file_search: 2_500_000 });
    const counts = fc.dictionary(fc.constantFrom(...usageBuckets), fc.nat(3_000_000_000));
    fc.assert(
      fc.property(counts, (usage: Usage) => {
        const priced = price({ ...usage, input_tokens: 1 + (usage.input_tokens ?? 0) }, rates);
        if (priced.amount_nano === null) throw new Error(priced.unpriced_reason ?? '');
        expect(priced.lines.reduce((sum, line) => sum + BigInt(line.amount), 0n)).toBe(BigInt(priced.amount_nano));
        for (const { count, rate, amount } of priced.lines) {
          const error = BigInt(amount) * 1_000_000n - BigInt(count) * BigInt(rate);
          expect(error <= 500_000n && error >= -500_000n).toBe(true);
        }
        expect(priced.list_amount_nano).toBe(priced.amount_nano);
      }),
    );
  });

  it('lets the dearer text rate stand in for cached, written, image and reasoning tokens, and names it', () => {
    const usage = { cached_input_tokens: 1, cache_write_tokens: 1, input_image_tokens: 1, reasoning_tokens: 1 };
    expect(price(usage, card).lines.map((line) => `${line.bucket}=${line.rate_name}`)).toEqual([
      'cached_input_tokens=input',
      'cache_write_tokens=input',
      'input_image_tokens=input',
      'reasoning_tokens=output',
    ]);
  });

  it('gives a reason instead of an amount for what has no rate', () => {
    for (const bucket of [
      'input_audio_tokens',
      'cached_audio_tokens',
      'output_audio_tokens',
      'cache_write_1h_tokens',
    ]) {
      const priced = price({ input_tokens: 5, [bucket]: 1 }, card);
      expect(priced).toEqual({
        amount_nano: null,
        list_amount_nano: null,
        lines: [],
        unpriced_reason: `no_rate: ${bucket}`,
      });
    }
    expect(price({ input_audio_tokens: 0, input_tokens: 1 }, card).amount_nano).toBe(3_000);
  });

  it('keeps the list amount when only the rates of this mode are incomplete', () => {
    const rates = { input: 1, output: 1 };
    const listRates = { ...rates, output_audio: 1_000_000_000 };
    const priced = priceUsage({ usage: { output_audio_tokens: 2 }, rates, list_rates: listRates });
    expect(priced).toMatchObject({
      amount_nano: null,
      list_amount_nano: 2_000,
      unpriced_reason: 'no_rate: output_audio_tokens',
    });
  });

  it('is never zero for a success of unknown usage, unless the price says zero', () => {
    expect(price(null, card)).toMatchObject({ amount_nano: null, unpriced_reason: 'usage_missing' });
    expect(price({}, card)).toMatchObject({ amount_nano: null, unpriced_reason: 'usage_zero' });
    expect(price(null, { input: 0, output: 0 })).toMatchObject({ amount_nano: 0, list_amount_nano: 0 });
    expect(price(null, { input: 0, output: 5 }).unpriced_reason).toBe('usage_missing');
    expect(price(null, { input: 0, output: 0, output_audio: 5 }).unpriced_reason).toBe('usage_missing');
    expect(price({ input_tokens: 9 }, { input: 0, output: 5 })).toMatchObject({
      amount_nano: 0,
      unpriced_reason: null,
    });
  });

  it('is zero for a failure that used nothing, and not for one that did', () => {
    for (const usage of [null, {}, { input_tokens: 0 }]) {
      expect(price(usage, card, false)).toEqual({
        amount_nano: 0,
        list_amount_nano: 0,
        lines: [],
        unpriced_reason: null,
      });
    }
    expect(price({ input_tokens: 7 }, card, false).amount_nano).toBe(21_000);
  });

  it('charges a pool that is paid by the hour for its time, tokens included', () => {
    const own = findOwnRates(compileOwnPrice({ gpu_hour: 3.6, gpus: 2 }), { model: 'm', mode: 'standard' });
    const rates = own?.rates ?? {};
    const priced = price({ input_tokens: 900, output_tokens: 50, gpu_microseconds: 1_500_001 }, rates);
    expect(priced.amount_nano).toBe(3_000_002);
    expect(priced.lines.map((line) => line.bucket)).toEqual(['gpu_microseconds']);
    expect(price({ input_tokens: 900 }, rates).unpriced_reason).toBe('gpu_time_missing');
    expect(price(null, rates).unpriced_reason).toBe('gpu_time_missing');
    expect(price({ input_tokens: 1, gpu_microseconds: 5 }, card).lines.map((line) => line.bucket)).toEqual([
      'input_tokens',
    ]);
  });

  it('refuses counts that are no counts and amounts that cannot be stored', () => {
    expect(price({ input_tokens: 1.5 }, card).unpriced_reason).toBe('invalid_count: input_tokens');
    expect(price({ input_tokens: 5, output_tokens: -1 }, card).unpriced_reason).toBe('invalid_count: output_tokens');
    expect(price({ input_tokens: Number.MAX_SAFE_INTEGER }, card).unpriced_reason).toBe('amount_out_of_range');
  });
});
