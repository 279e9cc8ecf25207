import { describe, expect, it } from 'vitest';
import { estimateOutput, paceSeconds } from '../../src/core/estimate.ts';
import { InputCounter } from '../../src/core/estimate-input.ts';
import { ShareTally, sumFigures } from '../../src/core/estimate-share.ts';
import { refusal } from '../../src/core/failure.ts';
import type { FoundRates } from '../../src/core/rates.ts';
import { nodeTokenizers } from '../../src/runtime/tokenizers.ts';

const names = { provider: 'p', model: 'm', target: 'p/m', mode: 'batch' } as const;
const output = { low: 10, expected: 20, high: 40 };
const origin = { version: 'v', tier: 'base' };
const found: FoundRates = {
  rates: { ...origin, mode: 'batch', input: 500_000_000, output: 1_000_000_000 },
  list_rates: { ...origin, mode: 'standard', input: 1_000_000_000, output: 2_000_000_000 },
  price_version: 'v',
  priced_model: 'm',
};

const estimateInput = (body: Record<string, unknown>) => new InputCounter(null).count(body);

describe('InputCounter', () => {
  it('counts the UTF-8 bytes of text by four, rounded up', async () => {
    expect(await estimateInput({ model: 'a-long-model-name', messages: [{ role: 'user', content: '12345' }] })).toBe(2);
    expect(await estimateInput({ input: 'äöü€' })).toBe(3);
  });

  it('leaves media and settings out', async () => {
    const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(4_000)}` } };
    const file = { type: 'file', file: { file_data: 'B'.repeat(4_000) } };
    const content = [{ type: 'text', text: 'abcd' }, image, file];
    expect(await estimateInput({ messages: [{ role: 'user', content }], max_tokens: 99_999, user: 'somebody' })).toBe(
      1,
    );
  });

  it('counts inputs that are given as tokens', async () => {
    expect(await estimateInput({ input: [[1, 2, 3], [4]] })).toBe(4);
  });

  it('counts a schema and tools, which are sent as text', async () => {
    const tools = [{ type: 'function', function: { name: 'look', description: 'Looks a thing up' } }];
    expect(await estimateInput({ tools, messages: [] })).toBe(5);
  });
});

describe('InputCounter with a tokenizer', () => {
  const words = { name: 'words', count: async (texts: readonly string[]) => texts.join(' ').split(' ').length };
  const chat = (content: string) => ({ messages: [{ role: 'user', content }] });

  it('counts the first requests and estimates the others by what a byte came to', async () => {
    const counter = new InputCounter(words);
    // Two words, and six tokens of the format of one message.
    for (let line = 0; line < 200; line += 1) expect(await counter.count(chat('ab cd'))).toBe(8);
    expect(await counter.count(chat('x'.repeat(50)))).toBe(26);
    expect(counter.method).toBe('words');
  });

  it('leaves very long requests to the estimate, and falls back on bytes when none was counted', async () => {
    expect(await new InputCounter(words).count({ prompt: 'x'.repeat(100_000) })).toBe(25_000);
  });

  it('counts no more than some megabytes of text', async () => {
    let asked = 0;
    const counter = new InputCounter({
      name: 'bytes',
      count: async ([text = '']) => {
        asked += 1;
        return text.length;
      },
    });
    for (let line = 0; line < 100; line += 1) await counter.count({ prompt: 'x'.repeat(60_000) });
    expect(asked).toBe(35);
  });

  it('takes no longer for text without blanks than for any other', async () => {
    const tokenizer = nodeTokenizers().forModel('gpt-4o');
    // Each would take seconds as one word.
    const words = ['a', ' ', '中', '😀', 'ab'].map((text) => text.repeat(60_000 / text.length));
    const counted = await Promise.all(words.map(async (word) => tokenizer?.count([word])));
    expect(counted).toEqual([expect.closeTo(7_500, -2), expect.closeTo(470, -2), 60_000, 30_000, 15_000]);
  });

  it("counts as OpenAI's encodings do, whatever looks like a special token", async () => {
    const tokenizers = nodeTokenizers();
    const counted = (model: string, text: string) => tokenizers.forModel(model)?.count([text]);
    expect(await counted('gpt-4o-mini-2024-07-18', 'hello world, this is a test <|endoftext|>')).toBe(14);
    expect(await counted('gpt-3.5-turbo', 'hello world')).toBe(2);
    expect(tokenizers.forModel('llama-3.3-70b')).toBeNull();
    expect(tokenizers.forModel('gpt-5-mini')?.name).toBe('o200k_base');
    expect(tokenizers.forModel('text-embedding-3-small')?.name).toBe('cl100k_base');
  });
});

describe('estimateOutput', () => {
  it('goes by past answers within the limit', () => {
    const history = { low: 10, expected: 40, high: 90 };
    const output = (body: object) => estimateOutput('/v1/chat/completions', { ...body }, history);
    expect(output({})).toEqual(history);
    expect(output({ max_tokens: 1_000 })).toEqual({ low: 10, expected: 40, high: 1_000 });
    expect(output({ max_tokens: 20, n: 1 })).toEqual({ low: 10, expected: 20, high: 20 });
    expect(estimateOutput('/v1/embeddings', {}, history).high).toBe(0);
  });

  it('takes a quarter, half and all of the limit, whatever it is called', () => {
    for (const name of ['max_tokens', 'max_completion_tokens', 'max_output_tokens']) {
      expect(estimateOutput('/v1/chat/completions', { [name]: 100 })).toEqual({ low: 25, expected: 50, high: 100 });
    }
  });

  it('has a default without a limit, multiplies by choices, and is nothing for embeddings', () => {
    expect(estimateOutput('/v1/responses', {})).toEqual({ low: 256, expected: 512, high: 1_024 });
    expect(estimateOutput('/v1/chat/completions', { max_tokens: 4, n: 3 })).toEqual({ low: 3, expected: 6, high: 12 });
    const high = (body: object) => estimateOutput('/v1/completions', { max_tokens: 4, ...body }).high;
    expect(high({ n: 2, best_of: 5 })).toBe(20);
    expect(high({ prompt: ['a', 'b', 'c'], n: 2 })).toBe(24);
    expect(high({ prompt: [[1, 2], [3]] })).toBe(8);
    expect(high({ prompt: [1, 2, 3] })).toBe(4);
    expect(estimateOutput('/v1/embeddings', { max_tokens: 100 })).toEqual({ low: 0, expected: 0, high: 0 });
  });

  it('does not believe limits that are none', () => {
    for (const limit of [-1, 0, 1.5, '100', null, Number.NaN]) {
      expect(estimateOutput('/v1/chat/completions', { max_tokens: limit }).high).toBe(1_024);
    }
    expect(estimateOutput('/v1/chat/completions', { max_tokens: 1e15, n: 1e9 }).high).toBe(1_280_000_000);
  });
});

describe('paceSeconds', () => {
  it('follows the tighter of the limits, and knows nothing without any', () => {
    const work = { requests: 100, tokens: 60_000 };
    expect(paceSeconds({ ...work, requestsPerMinute: 50, tokensPerMinute: 10_000 })).toBe(360);
    expect(paceSeconds({ ...work, requestsPerMinute: 50, tokensPerMinute: null })).toBe(120);
    expect(paceSeconds({ ...work, requestsPerMinute: null, tokensPerMinute: null })).toBeNull();
  });
});

describe('ShareTally', () => {
  it('prices low to high at the rates of the mode, beside the list price', () => {
    const tally = new ShareTally(names);
    tally.requests = 2;
    tally.add(100, output, found, []);
    tally.add(100, output, found, []);
    const share = tally.present();
    expect(share).toMatchObject({ requests: 2, input_tokens: 200, output_tokens: { low: 20, expected: 40, high: 80 } });
    expect(share.cost).toMatchObject({
      low_nano_usd: 120_000,
      expected_nano_usd: 140_000,
      high_nano_usd: 180_000,
      high_usd: '0.00018',
      list_high_nano_usd: 360_000,
    });
  });

  it('scales up what a sample tells', () => {
    const tally = new ShareTally(names);
    tally.requests = 1_000;
    for (let line = 1; line <= 8; line++) tally.add(10, output, found, line <= 4 ? ['dropped seed'] : []);
    for (let line = 9; line <= 10; line++) tally.refuse(line, `c${line}`, refusal('unsupported', 'no', 'cannot', 'n'));
    expect(tally.present()).toMatchObject({
      requests: 1_000,
      refused_count: 200,
      input_tokens: 8_000,
      lines_refused: [
        { line: 9, custom_id: 'c9', code: 'no', message: 'cannot', param: 'n' },
        { line: 10, custom_id: 'c10', code: 'no', message: 'cannot', param: 'n' },
      ],
      warnings: [{ message: 'dropped seed', count: 400 }],
    });
  });

  it('shows the first twenty refusals and counts the rest', () => {
    const tally = new ShareTally(names);
    tally.requests = 50;
    for (let line = 1; line <= 50; line++) tally.refuse(line, `c${line}`, refusal('unsupported', 'no', 'cannot'));
    const share = tally.present();
    expect(share.lines_refused).toHaveLength(20);
    expect(share).toMatchObject({ refused_count: 50, input_tokens: 0, unpriced_reason: null });
    expect(share.cost.high_nano_usd).toBe(0);
  });

  it('hands over the lines that go elsewhere, in proportion', () => {
    const tally = new ShareTally(names);
    tally.requests = 100;
    tally.diverted = 1;
    for (let line = 1; line <= 3; line++) tally.add(10, output, found, []);
    expect(tally.leave()).toBe(25);
    expect(tally.present()).toMatchObject({ requests: 75, input_tokens: 750 });
  });

  it('calls what has no price unpriced, never free', () => {
    const unpriced = new ShareTally(names);
    unpriced.requests = 1;
    unpriced.add(100, output, { unpriced: 'no_price: p/m' }, []);
    const refused = new ShareTally({ ...names, provider: 'q' });
    refused.requests = 1;
    refused.refuse(2, 'c', refusal('unsupported', 'no', 'cannot'));
    expect(unpriced.present().cost.low_nano_usd).toBeNull();
    const total = sumFigures([unpriced.present(), refused.present()]);
    expect(total).toMatchObject({ requests: 2, refused_count: 1, unpriced_reason: 'no_price: p/m' });
    expect(total.cost.low_usd).toBeNull();
  });

  it('gives no amount that a number cannot hold', () => {
    const tally = new ShareTally(names);
    tally.requests = 10_000_000;
    tally.add(10_000_000, { low: 1e9, expected: 1e9, high: 1e9 }, found, []);
    expect(tally.present()).toMatchObject({
      cost: { high_nano_usd: null },
      unpriced_reason: 'amount_out_of_range',
    });
  });
});
