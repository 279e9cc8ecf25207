import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LedgerEntryObject, ledgerEntryPageSchema } from '../../src/protocol/ledger.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';
import { entry, startOfDay } from './ledger-rows.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

async function getEntries(query: string, key?: string): Promise<LedgerEntryObject[]> {
  const answer = await harness.send('GET', `/v1/ledger/entries${query}`, key === undefined ? {} : { key });
  expect(answer.status).toBe(200);
  return ledgerEntryPageSchema.parse(await answer.json()).data;
}

describe('GET /v1/ledger/entries', () => {
  it('shows an entry as promised, money as integer and as exact decimal', async () => {
    await harness.deps.store.ledger.append([entry()]);
    const [shown] = await getEntries('');
    expect(shown).toMatchObject({
      object: 'ledger.entry',
      created_at: startOfDay,
      custom_id: 'r-1',
      tags: { team: 'search' },
      usage: { input_tokens: 10, output_tokens: 5 },
      raw_usage: { prompt_tokens: 10, completion_tokens: 5 },
      amount_nano_usd: 1_234,
      amount_usd: '0.000001234',
      list_amount_nano_usd: 2_468,
      unpriced_reason: null,
    });
    expect(shown?.id).toMatch(/^entry_/);
  });

  it('shows an unpriced amount as null, never as zero', async () => {
    await harness.deps.store.ledger.append([
      entry({ amountNano: null, listAmountNano: null, unpricedReason: 'no price' }),
    ]);
    expect((await getEntries(''))[0]).toMatchObject({
      amount_nano_usd: null,
      amount_usd: null,
      unpriced_reason: 'no price',
    });
  });

  it('filters by every field', async () => {
    await harness.deps.store.ledger.append([
      entry({
        customId: 'wanted',
        batchId: 'batch_a',
        keyId: 'key_a',
        provider: 'openai',
        model: 'gpt',
        status: 'failed',
      }),
      entry({ customId: 'other', createdAt: startOfDay + 86_400, line: 2, tags: { team: 'ads', 'a:b': 'c' } }),
    ]);
    const wanted = [
      'batch=batch_a',
      'provider=openai',
      'model=gpt',
      'key=key_a',
      'status=failed',
      'tag=team:search',
      'tag[team]=search',
      'to=2026-09-22',
      `to=${startOfDay + 1}`,
      'from=2026-09-21&to=2026-09-21T00:00:01Z',
      'to=2026-09-21T00:00:00.5Z',
      'from=2026-09-21T02:00:00%2B02:00&to=2026-09-22T00:00:00',
    ];
    for (const query of wanted) {
      expect([query, (await getEntries(`?${query}`)).map((shown) => shown.custom_id)]).toEqual([query, ['wanted']]);
    }
    expect((await getEntries('?tag[a:b]=c')).map((shown) => shown.custom_id)).toEqual(['other']);
    expect(await getEntries('?provider=none')).toEqual([]);
  });

  it('refuses what it cannot read or does not know, by name', async () => {
    const cases: [string, string][] = [
      ['from=yesterday', 'from'],
      ['to=2026-13-01', 'to'],
      ['status=paid', 'status'],
      ['tag=team', 'tag'],
      ['tag=a:b&tag[c]=d', 'tag'],
      ['limit=0', 'limit'],
      ['limit=1001', 'limit'],
      ['format=xml', 'format'],
      ['batch_id=batch_a', 'batch_id'],
    ];
    for (const [query, param] of cases) {
      const answer = await harness.send('GET', `/v1/ledger/entries?${query}`);
      expect([query, answer.status]).toEqual([query, 400]);
      expect((await errorOf(answer)).param).toBe(param);
    }
  });

  it('takes hostile filter values as plain values', async () => {
    await harness.deps.store.ledger.append([entry()]);
    for (const value of ["' or 1=1 --", '%', '$.team', '"; drop table ledger_entries; --']) {
      expect(await getEntries(`?provider=${encodeURIComponent(value)}`)).toEqual([]);
      expect(await getEntries(`?tag[${encodeURIComponent(value)}]=search`)).toEqual([]);
    }
    expect(await getEntries('')).toHaveLength(1);
  });

  it('pages newest first or oldest first, and refuses a cursor it did not give', async () => {
    const rows = Array.from({ length: 5 }, (_, n) =>
      entry({ line: n + 1, customId: `r-${n}`, createdAt: startOfDay + n }),
    );
    await harness.deps.store.ledger.append(rows);
    for (const order of ['asc', 'desc']) {
      const seen: (string | null)[] = [];
      let after = '';
      for (let pages = 0; pages < 3; pages += 1) {
        const answer = await harness.send('GET', `/v1/ledger/entries?limit=2&order=${order}${after}`);
        const page = ledgerEntryPageSchema.parse(await answer.json());
        seen.push(...page.data.map((shown) => shown.custom_id));
        expect(page.has_more).toBe(pages < 2);
        after = `&after=${page.last_id}`;
      }
      expect(order === 'asc' ? seen : seen.toReversed()).toEqual(['r-0', 'r-1', 'r-2', 'r-3', 'r-4']);
    }
    expect((await harness.send('GET', '/v1/ledger/entries?after=entry_none')).status).toBe(404);
  });

  it('keeps tenants apart; an administrator may ask for all', async () => {
    const { secret } = await harness.makeKey({ tenant_id: 'b' });
    await harness.deps.store.ledger.append([entry({ tenantId: 'a' }), entry({ tenantId: 'b', customId: 'b-1' })]);
    expect((await getEntries('', secret)).map((shown) => shown.custom_id)).toEqual(['b-1']);
    expect(await getEntries('')).toEqual([]);
    expect(await getEntries('?tenant_id=*')).toHaveLength(2);
    expect(await getEntries('?tenant_id=a')).toHaveLength(1);
    expect((await harness.send('GET', '/v1/ledger/entries?tenant_id=*', { key: secret })).status).toBe(403);
    const foreign = (await getEntries('?tenant_id=a'))[0]?.id;
    expect((await harness.send('GET', `/v1/ledger/entries?after=${foreign}`, { key: secret })).status).toBe(404);
  });
});
