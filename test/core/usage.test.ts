import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addBatchUsage,
  addUsage,
  batchUsageOf,
  emptyUsage,
  toBatchUsage,
  totalInput,
  totalOutput,
  type Usage,
  usageBuckets,
  usageFromOpenAI,
} from '../../src/core/usage.ts';

const anyUsage: fc.Arbitrary<Usage> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...usageBuckets), fc.nat(10_000_000)), { selector: ([bucket]) => bucket })
  .map((entries) => Object.fromEntries(entries));

const tokenBuckets = usageBuckets.filter((bucket) => bucket.endsWith('_tokens'));

function read(usage: unknown, object = 'chat.completion') {
  return usageFromOpenAI({ object, usage });
}

describe('addUsage', () => {
  it('adds bucket by bucket and leaves unknown buckets absent', () => {
    const sum = addUsage({ input_tokens: 1, output_tokens: 0 }, { input_tokens: 2, cached_input_tokens: 5 });
    expect(sum).toEqual({ input_tokens: 3, cached_input_tokens: 5, output_tokens: 0 });
    expect(Object.keys(addUsage(emptyUsage, emptyUsage))).toEqual([]);
  });

  it('counts every token bucket once, as input or as output', () => {
    fc.assert(
      fc.property(anyUsage, (usage) => {
        const all = tokenBuckets.reduce((sum, bucket) => sum + (usage[bucket] ?? 0), 0);
        expect(totalInput(usage) + totalOutput(usage)).toBe(all);
      }),
    );
  });

  it('commutes with the batch usage of the sums', () => {
    fc.assert(
      fc.property(anyUsage, anyUsage, (left, right) => {
        const summed = addBatchUsage(toBatchUsage(left), toBatchUsage(right));
        expect(toBatchUsage(addUsage(left, right))).toEqual(summed);
        expect(batchUsageOf([left, null, right])).toEqual(summed);
        expect(summed.total_tokens).toBe(summed.input_tokens + summed.output_tokens);
      }),
    );
  });
});

describe('toBatchUsage', () => {
  it("is OpenAI's batch usage object, cached and reasoning tokens inside the totals", () => {
    const usage = { input_tokens: 476, cached_input_tokens: 1024, output_tokens: 300, reasoning_tokens: 200 };
    expect(toBatchUsage({ ...usage, gpu_microseconds: 77 })).toEqual({
      input_tokens: 1500,
      input_tokens_details: { cached_tokens: 1024 },
      output_tokens: 500,
      output_tokens_details: { reasoning_tokens: 200 },
      total_tokens: 2000,
    });
  });
});

describe('usageFromOpenAI', () => {
  it('says nothing about bodies that report no usage', () => {
    for (const body of [null, undefined, 'text', 7, [], {}, { usage: null }, { error: { message: 'no' } }]) {
      expect(usageFromOpenAI(body)).toEqual({ usage: null, raw: null, problems: [] });
    }
  });

  it('keeps the usage object as it came', () => {
    const raw = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7, vendor_field: { a: 1 } };
    expect(read(raw).raw).toBe(raw);
  });

  it('reads the usage of an error body', () => {
    const body = {
      error: { code: 'content_filter' },
      usage: { prompt_tokens: 8, completion_tokens: 0, total_tokens: 8 },
    };
    expect(usageFromOpenAI(body).usage).toEqual({ input_tokens: 8, output_tokens: 0 });
  });

  it('tolerates details that are null, as vLLM sends them', () => {
    const raw = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7, prompt_tokens_details: null };
    expect(read(raw)).toEqual({ usage: { input_tokens: 3, output_tokens: 4 }, raw, problems: [] });
  });

  it('reports a detail that is no count and reads the rest', () => {
    const details = { prompt_tokens_details: { cached_tokens: Number.NaN }, completion_tokens_details: 'none' };
    const { usage, problems } = read({ prompt_tokens: 3, completion_tokens: 4, total_tokens: 7, ...details });
    expect(usage).toEqual({ input_tokens: 3, output_tokens: 4 });
    expect(problems).toEqual([
      'cached_tokens is not a whole, non-negative number: NaN',
      'completion_tokens_details is not an object: "none"',
    ]);
  });

  it('reports usage that is not an object', () => {
    expect(read([1])).toEqual({ usage: null, raw: null, problems: ['usage is not an object: [1]'] });
  });

  it('separates cached audio from cached text and from uncached audio', () => {
    const details = {
      cached_tokens: 60,
      audio_tokens: 40,
      cached_tokens_details: { text_tokens: 35, audio_tokens: 25 },
    };
    const { usage, problems } = read({
      input_tokens: 100,
      output_tokens: 1,
      total_tokens: 101,
      input_tokens_details: details,
    });
    expect(problems).toEqual([]);
    expect(usage).toEqual({
      input_tokens: 25,
      cached_input_tokens: 35,
      cached_audio_tokens: 25,
      input_audio_tokens: 15,
      output_tokens: 1,
    });
  });

  it('takes a total alone for the input of an embedding, and of nothing else', () => {
    expect(read({ total_tokens: 12 }, 'list').usage).toEqual({ input_tokens: 12 });
    const chat = read({ total_tokens: 12 });
    expect(chat.usage).toBeNull();
    expect(chat.problems).toEqual(['prompt_tokens is missing']);
  });

  it('derives a missing completion from the total and says so', () => {
    const { usage, problems } = read({ prompt_tokens: 10, total_tokens: 14 });
    expect(usage).toEqual({ input_tokens: 10, output_tokens: 4 });
    expect(problems).toEqual(['completion_tokens is missing: taken as total_tokens less prompt_tokens']);
    expect(read({ prompt_tokens: 10 })).toMatchObject({ usage: null, problems: ['completion_tokens is missing'] });
    expect(read({ prompt_tokens: 10, total_tokens: 10 })).toMatchObject({ usage: { input_tokens: 10 }, problems: [] });
  });

  it('loses and invents no token, whatever the details claim; what it cuts it reports', () => {
    const count = fc.nat(1_000);
    const details = fc.record(
      { cached_tokens: count, cache_write_tokens: count, audio_tokens: count, image_tokens: count },
      { requiredKeys: [] },
    );
    const outputDetails = fc.record({ reasoning_tokens: count, audio_tokens: count }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.nat(2_000), fc.nat(2_000), details, outputDetails, (input, output, inputParts, outputParts) => {
        const { usage, problems } = read({
          prompt_tokens: input,
          completion_tokens: output,
          prompt_tokens_details: inputParts,
          completion_tokens_details: outputParts,
        });
        expect(totalInput(usage ?? {})).toBe(input);
        expect(totalOutput(usage ?? {})).toBe(output);
        expect(Object.values(usage ?? {}).every((value) => Number.isSafeInteger(value) && value >= 0)).toBe(true);
        const sum = (parts: object) => Object.values(parts).reduce((total: number, part: number) => total + part, 0);
        const fits = sum(inputParts) <= input && sum(outputParts) <= output;
        expect(problems.some((problem) => problem.includes('a part of'))).toBe(!fits);
      }),
    );
  });
});
