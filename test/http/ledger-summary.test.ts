import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ledgerSummarySchema } from '../../src/protocol/ledger.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';
import { entry, startOfDay } from './ledger-rows.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

describe('GET /v1/ledger/summary', () => {
  beforeEach(async () => {
    await harness.deps.store.ledger.append([
      entry({ provider: 'a', model: 'm1', amountNano: 100, listAmountNano: 200 }),
      entry({ provider: 'a', model: 'm2', line: 2, amountNano: 30, listAmountNano: 60, tags: { team: 'ads' } }),
      entry({ provider: 'b', model: 'm1', line: 3, amountNano: 5, createdAt: startOfDay + 90_000, tags: null }),
      entry({
        provider: 'b',
        model: 'm1',
        line: 4,
        final: false,
        status: 'failed',
        amountNano: null,
        listAmountNano: null,
      }),
    ]);
  });

  const summary = async (query: string) => {
    const answer = await harness.send('GET', `/v1/ledger/summary${query}`);
    expect(answer.status).toBe(200);
    return ledgerSummarySchema.parse(await answer.json());
  };

  it('sums by the groups asked for, with a total', async () => {
    const { data, total } = await summary('?group_by=provider,model');
    expect(data.map((row) => [row.provider, row.model, row.entries, row.amount_nano_usd])).toEqual([
      ['a', 'm1', 1, 100],
      ['a', 'm2', 1, 30],
      ['b', 'm1', 2, 5],
    ]);
    expect(total).toMatchObject({
      entries: 4,
      requests: 3,
      input_tokens: 40,
      output_tokens: 20,
      amount_nano_usd: 135,
      amount_usd: '0.000000135',
      unpriced_entries: 1,
    });
  });

  it('sums by day, tag and status, and without groups', async () => {
    const days = await summary('?group_by=day');
    expect(days.data.map((row) => [row.day, row.entries])).toEqual([
      [startOfDay, 3],
      [startOfDay + 86_400, 1],
    ]);
    const teams = await summary('?group_by=tag:team');
    expect(new Map(teams.data.map((row) => [row.tag, row.entries]))).toEqual(
      new Map([
        [null, 1],
        ['ads', 1],
        ['search', 2],
      ]),
    );
    const whole = await summary('?provider=b');
    expect(whole.data).toEqual([whole.total]);
    expect(whole.total.entries).toBe(2);
  });

  it('stays exact beyond 2^53 nano-dollars', async () => {
    const nearly = Number.MAX_SAFE_INTEGER;
    await harness.deps.store.ledger.append([
      entry({ provider: 'big', line: 10, amountNano: nearly }),
      entry({ provider: 'big', line: 11, amountNano: nearly }),
    ]);
    const text = await (await harness.send('GET', '/v1/ledger/summary?group_by=provider&provider=big')).text();
    expect(text).toContain('"amount_nano_usd":18014398509481982,"amount_usd":"18014398.509481982"');
  });

  it('comes as CSV and JSONL too', async () => {
    const csv = await (await harness.send('GET', '/v1/ledger/summary?group_by=provider&format=csv')).text();
    expect(csv.split('\r\n').slice(0, 2)).toEqual([
      'provider,entries,requests,input_tokens,cached_input_tokens,output_tokens,amount_nano_usd,amount_usd,list_amount_nano_usd,list_amount_usd,unpriced_entries,savings_nano_usd,savings_usd,gpu_microseconds',
      'a,2,2,20,0,10,130,0.00000013,260,0.00000026,0,130,0.00000013,0',
    ]);
    const jsonl = await (await harness.send('GET', '/v1/ledger/summary?group_by=provider&format=jsonl')).text();
    expect(
      jsonl
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { provider: string }).provider),
    ).toEqual(['a', 'b']);
  });

  it('refuses groups it does not know, twice the same, too many, or a tag without its key', async () => {
    for (const groups of ['colour', 'day,day', 'tag', 'tag:', 'model:x', 'hour,day,provider,model,key']) {
      const answer = await harness.send('GET', `/v1/ledger/summary?group_by=${groups}`);
      expect([groups, answer.status]).toEqual([groups, 400]);
      expect((await errorOf(answer)).param).toBe('group_by');
    }
  });
});
