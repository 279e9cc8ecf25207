import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants, type Books } from './invariants.ts';
import { chatLines, type Pools, splitConfig, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

describe('answers that end otherwise than well', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function run(server: Parameters<typeof startPools>[0][number]): Promise<Books> {
    pools = await startPools([{ models: ['gpt-4o-mini'], ...server }]);
    weir = await startWeir(splitConfig([pools.servers[0]?.baseUrl ?? ''], [1], { retry: { attempts: 5 } }));
    const input = chatLines(20);
    const { id } = await submit(weir, input, { config: 'split' });
    await waitForBatch(weir, id);
    return assertInvariants(weir, id, input);
  }

  it.each([
    ['cut by length', { rate_length: 1 }, 'length'],
    ['stopped by a filter', { rate_content_filter: 1 }, 'content_filter'],
  ])('%s: a success with its finish reason, paid for', async (_name, server, reason) => {
    const { output, lines, entries } = await run(server);
    expect(output).toHaveLength(20);
    expect(lines.every((line) => line.weir.finish_reason === reason)).toBe(true);
    expect(entries.every((entry) => Number(entry.amount_nano_usd) > 0)).toBe(true);
  });

  it('aborted by the engine: tried again, and both tries paid for', async () => {
    const { output, entries, lines } = await run({ rate_abort: 0.3 });
    expect(output).toHaveLength(20);
    expect(lines.every((line) => line.weir.finish_reason !== 'abort')).toBe(true);
    expect(entries).toHaveLength(pools.servers[0]?.counters.received ?? 0);
    expect(entries.length).toBeGreaterThan(20);
    expect(entries.every((entry) => Number(entry.amount_nano_usd) > 0)).toBe(true);
  });

  it('without usage: a success, unpriced with a reason, never free', async () => {
    const { output, entries, batch } = await run({ usage: 'absent' });
    expect(output).toHaveLength(20);
    expect(batch.cost).toMatchObject({ amount_nano_usd: 0, unpriced_entries: 20 });
    expect(entries.every((entry) => entry.amount_nano_usd === null && entry.unpriced_reason)).toBe(true);
  });

  it('with a usage of zeros on a success: unpriced with a reason, never free', async () => {
    const { output, entries } = await run({ usage: 'zeros' });
    expect(output).toHaveLength(20);
    expect(entries.every((entry) => entry.amount_nano_usd === null && entry.unpriced_reason)).toBe(true);
  });
});
