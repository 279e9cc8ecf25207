import { describe, expect, it } from 'vitest';
import { csvLine } from '../../src/core/csv.ts';
import { parseCsv } from '../../src/core/price-csv.ts';

const hostile = [
  '=1+1',
  '+cmd|x',
  '-2+3',
  '@SUM(A1)',
  '\t=1',
  '\r=1',
  '\n=1',
  '\0=1',
  ' =1+1',
  '\u00a0@x',
  '\uff1d1+1',
  '\uff0b1',
  '\uff0d1',
  '\uff20x',
];
const harmless = ['a=b', "it's", "'quoted'", 'x-1', ' x', '', '2026-01-31', '{"a":"=1"}', '-5', '-0.000000005', '12'];

describe('a cell of CSV', () => {
  it.each(hostile)('cannot run as a formula: %j', (text) => {
    expect(csvLine([text]).replace(/^"/, '')[0]).toBe("'");
  });

  it('is as it was where it is no formula; numbers are numbers', () => {
    for (const text of harmless) expect(parseCsv(csvLine([text, 'end']))[0]?.[0]).toBe(text);
    expect(csvLine([-5, -1.5, 10n, true, null, undefined])).toBe('-5,-1.5,10,true,,');
  });

  it('tells whether its apostrophe was put there', () => {
    const texts = [...hostile, ...harmless, "'=1", "''-x", "'\t"];
    const read = texts.map((text) => parseCsv(csvLine([text, 'end']))[0]?.[0] ?? '');
    const undone = read.map((cell) => cell.replace(/^'(?='*(?:[\t\r\n\0]|\s*[=+\-@＋－＝＠]))/, ''));
    expect(undone).toEqual(texts);
    expect(new Set(read).size).toBe(texts.length);
  });
});
