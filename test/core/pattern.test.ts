import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePattern, compileSchemaPattern, PATTERN_TEXT_MAX } from '../../src/core/pattern.ts';

const atoms = fc.constantFrom(
  'a',
  'b',
  'ab',
  '.',
  '\\d',
  '\\w',
  '\\s',
  '\\D',
  '\\W',
  '\\S',
  '[ab]',
  '[^a]',
  '[a-c1]',
  '[\\d-]',
  '[\\]x]',
  '\\.',
  '-',
  '\\x61',
  '\\u0062',
  '^',
  '$',
  '\\b',
  '\\B',
  '(?:a|b)',
  '(a|bc|)',
  '1',
  '_',
  ' ',
);
const quantifiers = fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,}', '{0,2}', '*?', '+?');
const patterns = fc
  .tuple(fc.array(fc.tuple(atoms, quantifiers), { minLength: 1, maxLength: 6 }), fc.nat(3))
  .map(([parts, form]) => {
    const text = parts
      .map(([atom, quantifier]) => (/^(\^|\$|\\b|\\B)$/.test(atom) ? atom : atom + quantifier))
      .join('');
    return [text, `(${text})*`, `(?:${text}|ab)+b`, `${text}|${text}`][form]!;
  });
const texts = fc.string({
  unit: fc.constantFrom('a', 'b', 'c', '1', ' ', '-', '_', '.', '\n', 'é', '\u2028'),
  maxLength: 12,
});

function isRegExp(pattern: string, flags: string): boolean {
  try {
    new RegExp(pattern, flags);
    return true;
  } catch {
    return false;
  }
}

describe('patterns', () => {
  it('match exactly what RegExp matches', () => {
    fc.assert(
      fc.property(patterns, texts, (pattern, text) => {
        expect(compilePattern(pattern)(text)).toBe(new RegExp(pattern).test(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it('of JSON schemas match exactly what RegExp matches with the flag u', () => {
    const characters = fc.constantFrom('😀', '[😀-😎a]', '[^😀]', '\\u{1F600}', '\\ud83d\\ude00', '\\S');
    const unicode = fc
      .array(fc.oneof(atoms, characters), { minLength: 1, maxLength: 6 })
      .map((parts) => parts.join(''));
    const valid = unicode.filter((pattern) => isRegExp(pattern, 'u'));
    const subjects = fc.string({ unit: fc.constantFrom('a', 'b', '1', '-', '😀', '😎', '\n', 'é'), maxLength: 12 });
    fc.assert(
      fc.property(valid, fc.constantFrom('', '^', '$'), subjects, (pattern, anchor, text) => {
        const anchored = anchor === '^' ? `^${pattern}` : `${pattern}${anchor}`;
        expect(compileSchemaPattern(anchored, () => undefined)(text)).toBe(new RegExp(anchored, 'u').test(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it('that repeat nothing are compiled at once', () => {
    expect(compilePattern('^(?:(?:(?:){999999}){999999}){999999}a')('a')).toBe(true);
  });

  it('read named groups as groups', () => {
    expect(compilePattern('^(?<year>\\d{4})-x$')('2024-x')).toBe(true);
  });

  it('take time in proportion to the text, whatever the pattern', () => {
    const text = `${'a'.repeat(PATTERN_TEXT_MAX - 1)}!`;
    const started = performance.now();
    for (const pattern of ['^(a+)+$', '(a|aa)+$', '^(a|a?)+$', '.*.*.*.*.*x', '(.*a){20}b', '(\\w+\\s?)+$x']) {
      expect(compilePattern(pattern)(text)).toBe(false);
    }
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('look at the first characters of a long text only', () => {
    expect(compilePattern('b')(`${'a'.repeat(PATTERN_TEXT_MAX)}b`)).toBe(false);
  });

  it.each([
    ['(?=a)b', /lookahead/],
    ['(?<!a)b', /lookahead/],
    ['(?i:a)', /lookahead|valid/],
    ['(a)\\1', /backreferences/],
    ['\\p{L}', /not supported/],
    ['(a', /valid regular expression/],
    ['a'.repeat(300), /longer than 256/],
    ['((a{100}){100})', /repeats too much/],
    ['a{0,999999}', /repeats too much/],
  ])('refuse %s', (pattern, message) => {
    expect(() => compilePattern(pattern)).toThrow(message);
  });
});
