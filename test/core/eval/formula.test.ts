import { describe, expect, it } from 'vitest';
import { compileFormula } from '../../../src/core/eval/formula.ts';

const scores = { a: 0.5, b: 0.25, min: 3 };

describe('a formula over scores', () => {
  it.each([
    ['(a + b) / 2', 0.375],
    ['a + b * 2', 1],
    ['-2 ^ 2', -4],
    ['2 ** 3 ^ 2', 512],
    ['2 - 3 - 4', -5],
    ['8 / 4 / 2', 1],
    ['max(a, b, .1) - min(a, b)', 0.25],
    ['min + 1', 4],
    ['sqrt(abs(-16)) + floor(1.9) + ceil(0.1)', 6],
    ['log(exp(2))', 2],
    ['1e2', 100],
  ])('%s', (text, expected) => {
    expect(compileFormula(text, Object.keys(scores))(scores)).toBeCloseTo(expected, 12);
  });

  it.each([
    ['', 'missing at its end'],
    ['a +', 'missing at its end'],
    ['c', 'neither a number nor one of a, b'],
    ['a b', 'not expected'],
    ['(a', "a ')' is missing"],
    ['abs(a, b)', 'takes one value'],
    ['a; process.exit()', 'not understood'],
    ['constructor', 'neither'],
    ['a["x"]', 'not understood'],
    [`${'('.repeat(60)}a${')'.repeat(60)}`, 'nested'],
  ])('refuses %s', (text, reason) => {
    expect(() => compileFormula(text, ['a', 'b'])).toThrow(reason);
  });

  it('gives no score where the result is no number', () => {
    expect(() => compileFormula('a / 0', ['a'])({ a: 1 })).toThrow('no finite number');
    expect(() => compileFormula('log(a)', ['a'])({ a: -1 })).toThrow('no finite number');
  });
});
