import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptySums, type LedgerSums } from '../../src/core/ledger-sums.ts';
import { openBill } from '../../src/core/reconcile/billing-csv.ts';
import { attoToNano, parseAtto } from '../../src/core/reconcile/exact-usd.ts';
import { modelKey } from '../../src/core/reconcile/model-key.ts';
import { type BilledRow, type LedgerDay, reconcile } from '../../src/core/reconcile/reconcile.ts';

const DAY = 86_400;
const sums = (change: Partial<LedgerSums>): LedgerSums => ({ ...emptySums(), ...change });
const bill = (change: Partial<BilledRow>): BilledRow => ({
  day: DAY,
  model: 'gpt-4o-mini',
  inputTokens: null,
  outputTokens: null,
  amountAtto: null,
  ...change,
});
const nano = (amount: bigint) => amount * 10n ** 9n;

describe('amounts of bills', () => {
  it.each([
    ['1', 10n ** 18n],
    ['-0.5', -5n * 10n ** 17n],
    ['0.0000123450', 12_345n * 10n ** 9n],
    ['1.2E-5', 12n * 10n ** 12n],
    ['+1e2', 10n ** 20n],
    ['.5', 5n * 10n ** 17n],
    ['0.0000000000000000019', 1n],
  ])('%s is read exactly', (text, atto) => expect(parseAtto(text)).toBe(atto));

  it.each(['', '-', '.', '1,000', '$1', 'NaN', '1e99', '0x1', '1 2'])('%j is no amount', (text) => {
    expect(parseAtto(text)).toBeNull();
  });

  it('are rounded half-even to nano-dollars, once', () => {
    expect([15n, 25n, -15n, 14n].map((tenths) => attoToNano(tenths * 10n ** 8n))).toEqual([2n, 2n, -2n, 1n]);
  });
});

describe('names of models', () => {
  it.each([
    ['us.amazon.nova-lite-v1:0', 'NovaLite'],
    ['gpt-4o-mini', 'gpt-4o-mini-2024-07-18'],
    ['anthropic.claude-haiku-4-5-20251001-v1:0', 'Claude Haiku 4.5'],
    ['publishers/google/models/gemini-2.5-flash', 'Gemini 2.5 Flash'],
    ['claude-sonnet-4-5@20250929', 'claude-sonnet-4-5-20250929'],
    ['gpt-4o-mini', 'gpt 4o mini-0718'],
  ])('%s and %s are of one model', (one, other) => expect(modelKey(one)).toBe(modelKey(other)));

  it.each([
    ['gpt-4o', 'gpt-4o-mini'],
    ['claude-opus-4-1', 'claude-opus-4-5'],
    ['amazon.titan-embed-text-v1', 'amazon.titan-embed-text-v2:0'],
  ])('%s and %s are not', (one, other) => expect(modelKey(one)).not.toBe(modelKey(other)));
});

describe('a reconciliation', () => {
  const day = (change: Partial<LedgerSums>, model = 'gpt-4o-mini'): LedgerDay => ({
    day: DAY,
    model,
    sums: sums(change),
  });
  const used = { entries: 10, inputTokens: 100, outputTokens: 20, amountNano: 1_000n };
  const same = { inputTokens: 100, outputTokens: 20 };

  it.each<[string, LedgerDay[], BilledRow[]]>([
    ['equal', [day(used)], [bill(same), bill({ amountAtto: nano(1_000n) })]],
    ['rounding', [day(used)], [bill({ ...same, amountAtto: nano(1_020n) })]],
    ['price', [day(used)], [bill({ ...same, amountAtto: nano(1_021n) })]],
    ['usage', [day(used)], [bill({ ...same, outputTokens: 21, amountAtto: nano(1_000n) })]],
    ['amount', [day(used)], [bill({ amountAtto: nano(2_000n) })]],
    ['unpriced', [day({ ...used, unpricedEntries: 1 })], [bill({ inputTokens: 150, amountAtto: nano(1_500n) })]],
    ['not_in_ledger', [], [bill({ amountAtto: nano(5n) })]],
    ['not_billed', [day(used)], []],
    ['no_amount', [day(used)], [bill(same)]],
    ['equal', [day({ entries: 1 })], []],
  ])('finds %s', (cause, ledger, billed) => {
    expect(reconcile(ledger, billed).rows.map((row) => row.cause)).toEqual([cause]);
  });

  it('brings names together by what they have in common, and as the operator maps them', () => {
    const ledger = [
      day(used, 'us.amazon.nova-lite-v1:0'),
      day(used, 'gpt-4o-mini'),
      day(used, 'gpt-4o-mini-2024-07-18'),
    ];
    const billed = [
      bill({ model: 'NovaLite', amountAtto: nano(1_000n) }),
      bill({ model: 'Mini meter', amountAtto: nano(2_000n) }),
    ];
    const { rows, unexplainedNano } = reconcile(ledger, billed, new Map([['Mini meter', 'gpt-4o-mini']]));
    expect(rows.map(({ model, cause }) => [model, cause])).toEqual([
      ['gpt-4o-mini', 'equal'],
      ['us.amazon.nova-lite-v1:0', 'equal'],
    ]);
    expect(unexplainedNano).toBe(0n);
  });

  it('adds up to the nano-dollar, whatever bill and ledger hold', () => {
    const days = fc.integer({ min: 0, max: 3 }).map((index) => index * DAY);
    const model = fc.constantFrom('a', 'b', 'c');
    const ledgerRow = fc.record({
      day: days,
      model,
      entries: fc.nat(50),
      amountNano: fc.bigInt({ min: -(10n ** 12n), max: 10n ** 20n }),
      unpricedEntries: fc.nat(2),
      inputTokens: fc.nat(9),
    });
    const billedRow = fc.record({
      day: days,
      model,
      inputTokens: fc.option(fc.nat(9)),
      outputTokens: fc.constant(null),
      amountAtto: fc.option(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 30n })),
    });
    fc.assert(
      fc.property(fc.array(ledgerRow), fc.array(billedRow), (ledger, billed) => {
        const rows = ledger.map(({ day: at, model: name, ...rest }) => ({ day: at, model: name, sums: sums(rest) }));
        const found = reconcile(rows, billed);
        expect(found.ledgerNano).toBe(ledger.reduce((total, row) => total + row.amountNano, 0n));
        expect(found.billedNano - found.ledgerNano).toBe(found.explainedNano + found.unexplainedNano);
        const byCause = Object.values(found.causes).reduce((total, each) => total + each, 0n);
        expect(byCause).toBe(found.billedNano - found.ledgerNano);
      }),
    );
  });
});

describe('billing exports', () => {
  const read = (lines: string[]) => {
    const [header = '', ...rows] = lines.map((line) => line.split('|'));
    const reader = openBill(header as string[]);
    if ('problem' in reader) return reader.problem;
    return rows.map((row, index) => reader.read(row as string[], index + 2));
  };
  const at = Date.parse('2026-03-04T00:00:00Z') / 1000;

  it('of AWS, old and new columns, give models of Bedrock and leave other services out', () => {
    const old = read([
      'lineItem/UsageStartDate|lineItem/ProductCode|lineItem/UsageType|lineItem/UsageAmount|pricing/unit|lineItem/UnblendedCost|lineItem/CurrencyCode|product/ProductName|lineItem/LineItemType',
      '2026-03-04T00:00:00Z|AmazonBedrock|USE1-NovaLite-input-tokens-batch|12.5|1K tokens|0.0003750000|USD|Amazon Bedrock|Usage',
      '2026-03-04T05:00:00Z|AmazonBedrock|USE1-NovaLite-output-tokens-batch|0.5|1K tokens|6E-5|USD|Amazon Bedrock|Usage',
      '2026-03-04T00:00:00Z|8x7|USE1-MP:USE1_InputTokenCount-Units|1|Units|2.5|USD|Claude Haiku 4.5 (Amazon Bedrock Edition)|Usage',
      '2026-03-04T00:00:00Z|AmazonS3|USE1-Requests-Tier1|1|Requests|0.1|USD|Amazon Simple Storage Service|Usage',
      '2026-03-04T00:00:00Z|AmazonBedrock||0||0.07|USD|Amazon Bedrock|Tax',
    ]);
    expect(old).toEqual([
      { day: at, model: 'NovaLite', inputTokens: 12_500, outputTokens: null, amountAtto: 375n * 10n ** 12n },
      { day: at, model: 'NovaLite', inputTokens: null, outputTokens: 500, amountAtto: 6n * 10n ** 13n },
      { day: at, model: 'Claude Haiku 4.5', inputTokens: null, outputTokens: null, amountAtto: 25n * 10n ** 17n },
      null,
      { day: at, model: '(Tax)', inputTokens: null, outputTokens: null, amountAtto: 7n * 10n ** 16n },
    ]);
    const recent = read([
      'line_item_usage_start_date|line_item_product_code|line_item_usage_type|line_item_unblended_cost',
      '2026-03-04 00:00:00.000|AmazonBedrock|EUC1-Nova2.0Lite-input-token-count|0.1',
    ]);
    expect(recent).toMatchObject([{ day: at, model: 'Nova2.0Lite' }]);
  });

  it('of Google Cloud and Azure give theirs', () => {
    expect(
      read([
        'service.description|sku.description|usage_start_time|cost|currency|usage.amount|usage.unit',
        'Vertex AI|Gemini 2.5 Flash Text Input - Batch Predictions|2026-03-04 10:00:00 UTC|0.25|USD|1000|tokens',
        'Compute Engine|N1 Core|2026-03-04 10:00:00 UTC|3|USD|1|seconds',
      ]),
    ).toEqual([
      { day: at, model: 'Gemini 2.5 Flash', inputTokens: 1_000, outputTokens: null, amountAtto: 25n * 10n ** 16n },
      null,
    ]);
    expect(
      read([
        'Date|MeterCategory|MeterSubCategory|MeterName|Quantity|UnitOfMeasure|CostInBillingCurrency|CostInUsd|BillingCurrency',
        '03/04/2026|Cognitive Services|Azure OpenAI|gpt-4o-mini-0718-Batch-Outp-glbl Tokens|2|1K|0.5|0.6|EUR',
        '03/04/2026|Virtual Machines|Dv3|D2 v3|2|1 Hour|0.5|0.6|EUR',
      ]),
    ).toEqual([
      { day: at, model: 'gpt-4o-mini-0718', inputTokens: null, outputTokens: 2_000, amountAtto: 6n * 10n ** 17n },
      null,
    ]);
  });

  it('that cannot be read are refused with line, column and remedy', () => {
    expect(read(['a|b'])).toContain('line 1: these columns are of no billing export');
    expect(read(['lineItem/UsageStartDate|lineItem/UsageType|lineItem/ProductCode'])).toContain(
      'lineitemunblendedcost',
    );
    const [wrong] = read(['day|model|amount_usd', '2026-02-30|m|1']) as { problem: string }[];
    expect(wrong?.problem).toBe("line 2: day must be a date such as 2026-01-31, not '2026-02-30'.");
    const [money] = read(['day|model|amount_usd', '2026-02-03|m|one']) as { problem: string }[];
    expect(money?.problem).toContain('amountusd must be a number');
    const [euro] = read(['day|model|amount_usd|currency', '2026-02-03|m|1|EUR']) as { problem: string }[];
    expect(euro?.problem).toContain('in EUR. Export it in USD');
    const [count] = read(['day|model|input_tokens', '2026-02-03|m|1.5']) as { problem: string }[];
    expect(count?.problem).toContain('whole number');
  });
});
