import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accountByTarget, layAccount } from '../../src/runtime/cli/account.ts';
import {
  alignUsd,
  formatBytes,
  formatRate,
  formatSeconds,
  formatShare,
  plural,
  roughUsd,
} from '../../src/runtime/cli/figures.ts';
import { COLOURED, choosePaint, PLAIN } from '../../src/runtime/cli/paint.ts';
import { columnsOf, cut, printable, printableJson, printableLines, wrap } from '../../src/runtime/cli/printable.ts';
import { layPairs, layTable } from '../../src/runtime/cli/table.ts';

/** What a terminal would obey: C0, DEL, C1, direction marks, tag characters, line separators. */
const OBEYED = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/u;
const unit = fc.string({ unit: 'binary', maxLength: 60 });

describe('text from servers', () => {
  it('shows escape sequences instead of obeying them', () => {
    expect(printable('a\x1b[31mred\x1b]0;title\x07')).toBe('a\\u{1b}[31mred\\u{1b}]0;title\\u{7}');
    expect(printable('\x9b2J\x7f')).toBe('\\u{9b}2J\\u{7f}');
    expect(printable('safe \u202egnp.exe')).toBe('safe \\u{202e}gnp.exe');
  });

  it('turns line breaks into spaces in one-line places, and keeps them where lines are shown', () => {
    expect(printable('a\r\n\tb')).toBe('a b');
    expect(printableLines('a\r\nb\x1bc')).toBe('a\nb\\u{1b}c');
  });

  it('holds nothing that a terminal obeys, whatever comes in', () => {
    fc.assert(
      fc.property(unit, (text) => {
        expect(printable(text)).not.toMatch(OBEYED);
      }),
    );
  });

  it('as JSON keeps its meaning and is as harmless', () => {
    fc.assert(
      fc.property(unit, (text) => {
        const json = printableJson(JSON.stringify({ text }));
        expect(JSON.parse(json)).toEqual({ text });
        expect(json).not.toMatch(OBEYED);
      }),
    );
  });

  it('is measured in columns: wide characters take two, marks and colours none', () => {
    expect(columnsOf('abc')).toBe(3);
    expect(columnsOf('日本')).toBe(4);
    expect(columnsOf('e\u0301')).toBe(1);
    expect(columnsOf('👩‍👩‍👧')).toBe(2);
    expect(columnsOf(COLOURED.bad('ab'))).toBe(2);
  });

  it('is cut to the columns there are', () => {
    expect(cut('abcdef', 6)).toBe('abcdef');
    expect(cut('abcdefg', 6)).toBe('abcde…');
    expect(cut('日本語', 4)).toBe('日…');
    fc.assert(
      fc.property(unit, fc.integer({ min: 0, max: 40 }), (text, columns) => {
        expect(columnsOf(cut(printable(text), columns))).toBeLessThanOrEqual(columns);
      }),
    );
  });

  it('is wrapped at spaces, and no word is lost', () => {
    expect(wrap('one two three', 8)).toEqual(['one two', 'three']);
    expect(wrap('', 8)).toEqual(['']);
    expect(wrap('abcdefghijk xy', 8)).toEqual(['abcdefg…', 'xy']);
  });
});

describe('tables', () => {
  const columns = [{ header: 'ID' }, { header: 'NAME', least: 4 }, { header: 'N', align: 'right' as const }];

  it('stand in columns, numbers to the right', () => {
    const lines = layTable(
      columns,
      [
        ['a1', 'first', '7'],
        ['b', 'x', '1,234'],
      ],
      { width: 80, paint: PLAIN },
    );
    expect(lines).toEqual(['ID  NAME       N', 'a1  first      7', 'b   x      1,234']);
  });

  it('fit the width: columns that may be cut give way, the others stay whole', () => {
    const id = 'batch_1wUcNYxRcqyrS4jcMsCsouMoK';
    const lines = layTable(columns, [[id, 'n'.repeat(200), '12']], { width: 60, paint: PLAIN });
    for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(60);
    expect(lines[1]).toContain(id);
    expect(lines[1]).toMatch(/n…\s+12$/);
  });

  it('show cells that would run the terminal as plain text', () => {
    const lines = layTable([{ header: 'A', least: 5 }], [['x\x1b[2J\ny']], { width: 40, paint: PLAIN });
    expect(lines[1]).toBe('x\\u{1b}[2J y');
  });

  it('put their values below each other in lists', () => {
    expect(
      layPairs(
        [
          ['A', '1'],
          ['Longer', '2'],
        ],
        { width: 80, paint: PLAIN },
      ),
    ).toEqual(['A:      1', 'Longer: 2']);
  });
});

describe('the account of a batch', () => {
  const figures = (entries: number, requests: number, nano: number) => ({
    entries,
    requests,
    input_tokens: 10 * entries,
    cached_input_tokens: 0,
    output_tokens: entries,
    amount_nano_usd: nano,
    amount_usd: '',
    list_amount_nano_usd: nano,
    list_amount_usd: '',
    unpriced_entries: 0,
    savings_nano_usd: 0,
    savings_usd: '0',
    gpu_microseconds: 0,
  });
  const row = (target: string, status: string, entries: number, requests: number, nano: number) => ({
    ...figures(entries, requests, nano),
    target,
    model: 'm',
    status,
  });
  const ledger = {
    object: 'batch.ledger' as const,
    batch_id: 'b',
    data: [
      row('openai/gpt-4o-mini', 'failed', 3, 1, 0),
      row('openai/gpt-4o-mini', 'succeeded', 100, 100, 12_345),
      row('a-pool-with-a-very-long-name-indeed/and-a-model-with-a-name-that-is-longer-still', 'succeeded', 9, 9, 1e9),
    ],
    total: figures(112, 110, 1_000_012_345),
  };

  it('adds attempts up by target: lines decided, attempts that failed, exact cost', () => {
    const [first] = accountByTarget(ledger);
    expect(first).toMatchObject({ lines: 101, attempts: 103, wasted: 3, nano: 12_345, inputTokens: 1030 });
  });

  it('fits 80 columns with its total, decimal points below each other', () => {
    const lines = layAccount(accountByTarget(ledger), { width: 80, paint: PLAIN });
    for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(80);
    expect(lines.at(-1)).toMatch(/^total +110 +3 +1,120 +112 +1\.000012345$/);
    expect(lines.at(1)).toMatch(/ 0\.000012345$/);
  });

  it('says how many attempts have no known price, and shows no sum where none has one', () => {
    const unpriced = { ...ledger, data: [{ ...row('p/m', 'succeeded', 2, 2, 0), unpriced_entries: 2 }] };
    const lines = layAccount(accountByTarget(unpriced), { width: 80, paint: PLAIN });
    expect(lines.at(-1)).toBe('* 2 without a known price are not in the sum');
    expect(lines.slice(1, -1).join('\n')).toMatch(/ unknown\*\n(?:.*\n)*.* unknown\*$/);
  });
});

describe('figures', () => {
  it('are all there only when all is there', () => {
    expect(formatShare(1318, 1319)).toBe('99 %');
    expect(formatShare(1319, 1319)).toBe('100 %');
    expect(formatShare(1, 1319)).toBe('1 %');
    expect(formatShare(0, 0)).toBe('–');
  });

  it('have units that fit their size', () => {
    expect([0, 999, 1000, 730_312, 999_950, 10e9].map(formatBytes)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '730 kB',
      '1.0 MB',
      '10.0 GB',
    ]);
    expect([0.4, 59.4, 65, 7_800, 200_000].map(formatSeconds)).toEqual([
      '0 s',
      '59 s',
      '1 min 05 s',
      '2 h 10 min',
      '2 d 7 h',
    ]);
    expect([0.25, 9.97, 42.4, 12_345.6].map(formatRate)).toEqual(['0.3/s', '10/s', '42/s', '12,346/s']);
    expect([plural(1, 'line'), plural(1234, 'line')]).toEqual(['1 line', '1,234 lines']);
  });

  it('lose no nano-dollar where amounts are exact', () => {
    expect(alignUsd([1, 1_500_000_000, 0])).toEqual(['0.000000001', '1.500000000', '0.000000000']);
    expect(alignUsd([2e9])).toEqual(['2.00']);
    expect(roughUsd(12_345_678)).toBe('$0.0123');
    expect([0, 1, 49_999, 50_000].map(roughUsd)).toEqual(['$0.0000', '<$0.0001', '<$0.0001', '$0.0001']);
  });
});

describe('colours', () => {
  it('need a terminal that has them, and nobody who refuses them', () => {
    expect(choosePaint(true, {})).toBe(COLOURED);
    expect(choosePaint(false, {})).toBe(PLAIN);
    expect(choosePaint(true, { NO_COLOR: '1' })).toBe(PLAIN);
    expect(choosePaint(true, { NO_COLOR: '' })).toBe(COLOURED);
    expect(choosePaint(true, { TERM: 'dumb' })).toBe(PLAIN);
  });
});
