import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  type Pools,
  realInput,
  splitConfig,
  startPools,
  startWeir,
  submit,
  type Weir,
  waitForBatch,
} from './weir.ts';

const MODEL = { models: ['gpt-4o-mini'], count_by: { path: 'messages.1.content' } as const };
const PRICE = { input: '0.15', output: '0.6' };

/** Half-even, written again and otherwise: the server's own arithmetic is what is under test. */
function nanoDollars(tokens: number, usdPerMillion: string): bigint {
  const [whole = '0', fraction = ''] = usdPerMillion.split('.');
  const rate = BigInt(whole + fraction.padEnd(9, '0'));
  const product = BigInt(tokens) * rate;
  const quotient = product / 1_000_000n;
  const twice = (product % 1_000_000n) * 2n;
  const up = twice > 1_000_000n || (twice === 1_000_000n && quotient % 2n === 1n);
  return quotient + (up ? 1n : 0n);
}

describe('one file over three targets', () => {
  let pools: Pools;
  let weir: Weir;

  beforeAll(async () => {
    pools = await startPools([MODEL, MODEL, { ...MODEL, usage: 'cached' }]);
    const urls = pools.servers.map((server) => server.baseUrl);
    weir = await startWeir(splitConfig(urls, [40, 30, 30], { price: PRICE }));
  });
  afterAll(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  it('splits 40/30/30 exactly, answers every line once, and accounts for it to the nano-dollar', async () => {
    const input = await realInput();
    const batch = await submit(weir, input, { config: 'split', metadata: { project: 'gsm8k' } });
    const ended = await waitForBatch(weir, batch.id, { seconds: 60 });
    expect(ended.status).toBe('completed');
    const { output, errors, lines, entries } = await assertInvariants(weir, batch.id, input);
    expect(errors).toEqual([]);

    const total = output.length;
    const split = ['pool-a', 'pool-b', 'pool-c'].map(
      (provider) => lines.filter((line) => line.weir.provider === provider).length,
    );
    for (const [index, share] of [0.4, 0.3, 0.3].entries()) {
      expect(Math.abs((split[index] ?? 0) - total * share)).toBeLessThanOrEqual(1);
    }
    expect(pools.servers.map((server) => server.counters.received)).toEqual(split);

    type Body = {
      usage: { prompt_tokens: number; completion_tokens: number; prompt_tokens_details?: { cached_tokens?: number } };
    };
    const usages = output.map((line) => (line.response!.body as Body).usage);
    const sum = (pick: (usage: Body['usage']) => number): number => usages.reduce((all, usage) => all + pick(usage), 0);
    expect(ended.usage).toMatchObject({
      input_tokens: sum((usage) => usage.prompt_tokens),
      output_tokens: sum((usage) => usage.completion_tokens),
      total_tokens: sum((usage) => usage.prompt_tokens + usage.completion_tokens),
      input_tokens_details: { cached_tokens: sum((usage) => usage.prompt_tokens_details?.cached_tokens ?? 0) },
    });

    const cost = usages.reduce((all, usage) => {
      const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
      return (
        all +
        nanoDollars(usage.prompt_tokens - cached, PRICE.input) +
        nanoDollars(cached, PRICE.input) +
        nanoDollars(usage.completion_tokens, PRICE.output)
      );
    }, 0n);
    expect(entries.reduce((all, entry) => all + BigInt(entry.amount_nano_usd ?? -1), 0n)).toBe(cost);
    expect(entries.every((entry) => entry.tags.project === 'gsm8k')).toBe(true);
  });

  it('splits the same file the same way again', async () => {
    const input = await realInput(100);
    const targets: string[][] = [];
    for (let round = 0; round < 2; round++) {
      const batch = await submit(weir, input, { config: 'split' });
      await waitForBatch(weir, batch.id);
      const { lines } = await assertInvariants(weir, batch.id, input);
      targets.push(lines.map((line) => line.weir.target ?? ''));
    }
    expect(targets[1]).toEqual(targets[0]);
  });

  it('works through many segments, a few at a time', async () => {
    const input = chatLines(400);
    const small = await startWeir(
      splitConfig([pools.servers[0]?.baseUrl ?? ''], [1], {
        limits: { concurrency: 2 },
        settings: { segment_lines: 3, part_lines: 2, max_open_segments: 4 },
      }),
    );
    try {
      const batch = await submit(small, input, { config: 'split' });
      await waitForBatch(small, batch.id);
      await assertInvariants(small, batch.id, input);
    } finally {
      await small.stop();
    }
  });

  it('summarises the ledger by provider with the batches’ sum', async () => {
    const summary = await weir.call<{
      data: { provider: string; amount_nano_usd: number }[];
      total: { amount_nano_usd: number };
    }>('/v1/ledger/summary?group_by=provider');
    expect(summary.data.map((row) => row.provider)).toEqual(['pool-a', 'pool-b', 'pool-c']);
    let sum = 0;
    for await (const batch of weir.client.batches.list()) {
      sum += (batch as unknown as { cost: { amount_nano_usd: number } }).cost.amount_nano_usd;
    }
    expect(summary.total.amount_nano_usd).toBe(sum);
  });
});
