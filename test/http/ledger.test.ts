import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BatchRow } from '../../src/ports/store-batches.ts';
import type { LedgerEntryRow } from '../../src/ports/store-ledger.ts';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { ledgerEntryPageSchema, ledgerSummarySchema } from '../../src/protocol/ledger.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

const startOfDay = 1_789_948_800; // 2026-09-21T00:00:00Z

function entry(change: Partial<LedgerEntryRow> = {}): LedgerEntryRow {
  return {
    createdAt: startOfDay,
    tenantId: 'default',
    keyId: null,
    batchId: null,
    customId: 'r-1',
    line: 1,
    attempt: 1,
    mode: 'immediate',
    provider: 'pool-a',
    target: 'pool-a/llama',
    model: 'llama',
    servedModel: 'llama-3.3',
    status: 'succeeded',
    final: true,
    statusCode: 200,
    errorCode: null,
    usage: { input_tokens: 10, output_tokens: 5 },
    rawUsage: { prompt_tokens: 10, completion_tokens: 5 },
    inputTokens: 10,
    cachedInputTokens: 0,
    outputTokens: 5,
    rates: null,
    priceVersion: '2026-01-01',
    amountNano: 1_234,
    listAmountNano: 2_468,
    estimated: false,
    unpricedReason: null,
    tags: { team: 'search' },
    latencyMs: 12,
    ...change,
  };
}

function batch(id: string, tenantId: string): BatchRow {
  const none = { inProgressAt: null, finalizingAt: null, completedAt: null, failedAt: null, expiredAt: null };
  return {
    ...none,
    id,
    tenantId,
    keyId: null,
    endpoint: '/v1/chat/completions',
    completionWindow: 'immediate',
    inputFileId: 'file-1',
    metadata: null,
    configName: null,
    route: null,
    outputExpiresAfterSeconds: null,
    retryOf: null,
    front: null,
    frontDeletedAt: null,
    neverRun: null,
    priority: 0,
    options: null,
    status: 'in_progress',
    stop: null,
    pausedAt: null,
    errors: null,
    model: null,
    outputFileId: null,
    errorFileId: null,
    createdAt: startOfDay,
    expiresAt: startOfDay + 86_400,
    cancellingAt: null,
    cancelledAt: null,
    total: 0,
    completed: 0,
    failed: 0,
    usage: {
      input_tokens: 0,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 0,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 0,
    },
    amountNano: 0n,
    listAmountNano: 0n,
    entries: 0,
    unpricedEntries: 0,
    lanes: [],
    lanesKey: null,
    openSegments: 0,
  };
}

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

describe('exports', () => {
  it('hold every row as CSV and as JSONL, over many pages', async () => {
    const rows = Array.from({ length: 1_203 }, (_, n) => entry({ line: n + 1, customId: `r-${n}` }));
    await harness.deps.store.ledger.append(rows);
    const csv = await harness.send('GET', '/v1/ledger/entries?order=asc', { headers: { accept: 'text/csv' } });
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(csv.headers.get('content-disposition')).toContain('attachment');
    const lines = (await csv.text()).trimEnd().split('\r\n');
    expect(lines).toHaveLength(1_204);
    const columns = (lines[0] ?? '').split(',');
    expect(columns.slice(0, 3)).toEqual(['id', 'object', 'created_at']);
    expect(lines.slice(1).map((line) => line.split(',')[columns.indexOf('custom_id')])).toEqual(
      rows.map((row) => row.customId),
    );
    const jsonl = await (await harness.send('GET', '/v1/ledger/entries?order=asc&format=jsonl')).text();
    const entries = jsonl
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as LedgerEntryObject);
    expect(entries.map((shown) => shown.custom_id)).toEqual(rows.map((row) => row.customId));
    const some = await (await harness.send('GET', '/v1/ledger/entries?format=jsonl&limit=600')).text();
    expect(some.trimEnd().split('\n')).toHaveLength(600);
  });

  it('cannot run as formulas in a spreadsheet and break no line', async () => {
    const hostile = ['=1+1', '+cmd|x', '-2+3', '@SUM(A1)', '\tx', '\rx', 'plain,"quoted"\nline', 'u\u2028v'];
    await harness.deps.store.ledger.append(
      hostile.map((customId, n) => entry({ line: n + 1, customId, amountNano: -5 })),
    );
    const csv = await (await harness.send('GET', '/v1/ledger/entries?format=csv&order=asc')).text();
    for (const text of hostile.slice(0, 4)) expect(csv).toContain(`,'${text},`);
    expect(csv).toContain(`,'\tx,`);
    expect(csv).toContain(`,"'\rx",`);
    expect(csv).toContain(',"plain,""quoted""\nline",');
    expect(csv).toContain(',-5,-0.000000005,');
    const jsonl = await (await harness.send('GET', '/v1/ledger/entries?format=jsonl&order=asc')).text();
    expect(jsonl).not.toContain('\u2028');
    expect(jsonl).toContain(String.raw`u\u2028v`);
  });

  it('answer a wrong cursor before the download starts', async () => {
    expect((await harness.send('GET', '/v1/ledger/entries?format=csv&after=entry_none')).status).toBe(404);
  });
});

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

describe('GET /v1/batches/{id}/ledger', () => {
  beforeEach(async () => {
    await harness.deps.store.batches.insert(batch('batch_1', 'acme'));
    await harness.deps.store.ledger.append([
      entry({ tenantId: 'acme', batchId: 'batch_1', amountNano: 7 }),
      entry({ tenantId: 'acme', batchId: 'batch_1', line: 2, target: 'pool-b/llama', amountNano: 8 }),
      entry({ tenantId: 'acme', batchId: 'batch_2', line: 1, amountNano: 100 }),
    ]);
  });

  it('sums the batch by target, model and status', async () => {
    const { secret } = await harness.makeKey({ tenant_id: 'acme' });
    const answer = await harness.send('GET', '/v1/batches/batch_1/ledger', { key: secret });
    expect(await answer.json()).toMatchObject({
      object: 'batch.ledger',
      batch_id: 'batch_1',
      data: [
        { target: 'pool-a/llama', model: 'llama', status: 'succeeded', amount_nano_usd: 7 },
        { target: 'pool-b/llama', model: 'llama', status: 'succeeded', amount_nano_usd: 8 },
      ],
      total: { entries: 2, amount_nano_usd: 15 },
    });
  });

  it('lists its entries on demand, also to an administrator', async () => {
    const answer = await harness.send('GET', '/v1/batches/batch_1/ledger?entries=true&order=asc');
    const page = ledgerEntryPageSchema.parse(await answer.json());
    expect(page.data.map((shown) => shown.line)).toEqual([1, 2]);
  });

  it('is 404 for another tenant, as for a batch that never was', async () => {
    const { secret } = await harness.makeKey({ tenant_id: 'b' });
    for (const query of ['', '?entries=true', '?format=csv']) {
      const foreign = await harness.send('GET', `/v1/batches/batch_1/ledger${query}`, { key: secret });
      const unknown = await harness.send('GET', `/v1/batches/batch_9/ledger${query}`, { key: secret });
      expect(foreign.status).toBe(404);
      expect((await foreign.text()).replace('batch_1', 'batch_9')).toBe(await unknown.text());
    }
  });
});
