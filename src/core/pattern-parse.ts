/** The tree of a pattern in JavaScript's regular expression language, without what needs backtracking. */
export type PatternNode =
  | { type: 'set'; ranges: readonly Range[]; negated: boolean }
  | { type: 'assert'; kind: 'start' | 'end' | 'word' | 'notWord' }
  | { type: 'sequence'; items: readonly PatternNode[] }
  | { type: 'choice'; options: readonly PatternNode[] }
  | { type: 'repeat'; item: PatternNode; min: number; max: number };

/** First and last code unit (code point in Unicode mode), inclusive. */
export type Range = readonly [number, number];

/** A pattern that cannot be used; the message says why and what to write instead. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

const LAST = 0x10ffff;
const DIGITS: Range[] = [[48, 57]];
export const WORD: Range[] = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
const SPACE: Range[] = [
  [9, 13],
  [32, 32],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const LINE_ENDS: Range[] = [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
];
const CLASSES = new Map<string, Range[]>([
  ['d', DIGITS],
  ['w', WORD],
  ['s', SPACE],
  ['D', invert(DIGITS)],
  ['W', invert(WORD)],
  ['S', invert(SPACE)],
]);
const CONTROLS = new Map([
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['f', 12],
  ['v', 11],
  ['0', 0],
]);

interface Cursor {
  text: string;
  at: number;
  /** Characters are code points, and escapes of letters that mean nothing are refused rather than read as the letter. */
  unicode: boolean;
}

/**
 * Parses a pattern that `new RegExp` accepts, without flags or as by the flag `u`. Throws PatternError for lookaround,
 * backreferences and modifiers.
 */
export function parsePattern(text: string, unicode = false): PatternNode {
  const cursor = { text, at: 0, unicode };
  const node = parseChoice(cursor);
  if (cursor.at < text.length) throw new PatternError(`unexpected \`${text[cursor.at]}\``);
  return node;
}

function parseChoice(cursor: Cursor): PatternNode {
  const options = [parseSequence(cursor)];
  while (take(cursor, '|')) options.push(parseSequence(cursor));
  return options.length === 1 ? options[0]! : { type: 'choice', options };
}

function parseSequence(cursor: Cursor): PatternNode {
  const items: PatternNode[] = [];
  while (cursor.at < cursor.text.length && cursor.text[cursor.at] !== '|' && cursor.text[cursor.at] !== ')') {
    items.push(parseRepeat(cursor, parseAtom(cursor)));
  }
  return { type: 'sequence', items };
}

const QUANTIFIER = /(?:([*+?])|\{(\d{1,6})(,(\d{1,6})?)?\})\??/y;

function parseRepeat(cursor: Cursor, item: PatternNode): PatternNode {
  QUANTIFIER.lastIndex = cursor.at;
  const match = QUANTIFIER.exec(cursor.text);
  if (match === null) return item;
  cursor.at += match[0].length;
  const [, sign, low, comma, high] = match;
  if (sign !== undefined) {
    return { type: 'repeat', item, min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : Number.POSITIVE_INFINITY };
  }
  const min = Number(low);
  if (comma === undefined) return { type: 'repeat', item, min, max: min };
  return { type: 'repeat', item, min, max: high === undefined ? Number.POSITIVE_INFINITY : Number(high) };
}

function parseAtom(cursor: Cursor): PatternNode {
  const sign = next(cursor);
  switch (sign) {
    case '^':
      return { type: 'assert', kind: 'start' };
    case '$':
      return { type: 'assert', kind: 'end' };
    case '.':
      return { type: 'set', ranges: LINE_ENDS, negated: true };
    case '(':
      return parseGroup(cursor);
    case '[':
      return parseClass(cursor);
    case '\\':
      if (take(cursor, 'b')) return { type: 'assert', kind: 'word' };
      if (take(cursor, 'B')) return { type: 'assert', kind: 'notWord' };
      return { type: 'set', ranges: parseEscape(cursor), negated: false };
    default:
      return { type: 'set', ranges: [single(sign)], negated: false };
  }
}

function parseGroup(cursor: Cursor): PatternNode {
  if (take(cursor, '?')) {
    const rest = cursor.text.slice(cursor.at);
    const opening = /^(?::|<[\p{ID_Start}$_][\p{ID_Continue}$]*>)/u.exec(rest);
    if (opening === null) {
      throw new PatternError(
        'lookahead, lookbehind and modifiers `(?…)` are not supported; use `$and`, `$or` or `$ne`',
      );
    }
    cursor.at += opening[0].length;
  }
  const node = parseChoice(cursor);
  if (!take(cursor, ')')) throw new PatternError('a group is not closed');
  return node;
}

function parseClass(cursor: Cursor): PatternNode {
  const negated = take(cursor, '^');
  const ranges: Range[] = [];
  while (!take(cursor, ']')) {
    const low = parseClassAtom(cursor);
    const from = singleCode(low);
    const isRange = cursor.text[cursor.at] === '-' && cursor.text[cursor.at + 1] !== ']';
    if (!isRange || from === null) {
      ranges.push(...low);
      continue;
    }
    cursor.at += 1;
    const high = parseClassAtom(cursor);
    const to = singleCode(high);
    if (to === null) ranges.push(...low, single('-'), ...high);
    else ranges.push([from, to]);
  }
  return { type: 'set', ranges, negated };
}

function parseClassAtom(cursor: Cursor): Range[] {
  const sign = next(cursor);
  if (sign !== '\\') return [single(sign)];
  if (take(cursor, 'b')) return [[8, 8]];
  return parseEscape(cursor);
}

function parseEscape(cursor: Cursor): Range[] {
  const sign = next(cursor);
  const set = CLASSES.get(sign);
  if (set !== undefined) return set;
  const digitFollows = /[0-9]/.test(cursor.text[cursor.at] ?? '');
  if (/[1-9k]/.test(sign) || (sign === '0' && digitFollows)) {
    throw new PatternError('backreferences and octal escapes are not supported; write the text out');
  }
  const point = sign === 'u' && cursor.unicode ? codePoint(cursor) : null;
  if (point !== null) return [[point, point]];
  if (/[pPcu]/.test(sign) && !/^[0-9a-fA-F]{4}/.test(cursor.text.slice(cursor.at))) {
    throw new PatternError(`\`\\${sign}\` is not supported; write the characters, or \\uXXXX for each`);
  }
  const control = CONTROLS.get(sign);
  if (control !== undefined) return [[control, control]];
  const digits = sign === 'u' ? 4 : 2;
  const code = cursor.text.slice(cursor.at, cursor.at + digits);
  if ((sign === 'u' || sign === 'x') && code.length === digits && /^[0-9a-fA-F]+$/.test(code)) {
    cursor.at += digits;
    const value = Number.parseInt(code, 16);
    return [[value, value]];
  }
  // As `\A` and `\Z`, which other languages have.
  if (cursor.unicode && /[a-zA-Z]/.test(sign)) throw new PatternError(`\`\\${sign}\` means nothing`);
  return [single(sign)];
}

/** What follows `\u` in Unicode mode, where it is more than four digits: `{1F600}`, or the two halves of one character. */
function codePoint(cursor: Cursor): number | null {
  const match = /^(?:\{([0-9a-fA-F]{1,6})\}|(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2}))/i.exec(
    cursor.text.slice(cursor.at, cursor.at + 10),
  );
  if (match === null) return null;
  cursor.at += match[0].length;
  const [, whole, high, low] = match;
  if (whole !== undefined) return Number.parseInt(whole, 16);
  return String.fromCharCode(Number.parseInt(high!, 16), Number.parseInt(low!, 16)).codePointAt(0)!;
}

function invert(ranges: readonly Range[]): Range[] {
  const inverted: Range[] = [];
  let from = 0;
  for (const [first, last] of ranges) {
    if (first > from) inverted.push([from, first - 1]);
    from = last + 1;
  }
  inverted.push([from, LAST]);
  return inverted;
}

function single(sign: string): Range {
  const code = sign.codePointAt(0)!;
  return [code, code];
}

function singleCode(ranges: readonly Range[]): number | null {
  const [only] = ranges;
  return ranges.length === 1 && only !== undefined && only[0] === only[1] ? only[0] : null;
}

function next(cursor: Cursor): string {
  const unit = cursor.text[cursor.at];
  if (unit === undefined) throw new PatternError('the pattern ends too early');
  const sign = cursor.unicode ? String.fromCodePoint(cursor.text.codePointAt(cursor.at)!) : unit;
  cursor.at += sign.length;
  return sign;
}

function take(cursor: Cursor, sign: string): boolean {
  if (cursor.text[cursor.at] !== sign) return false;
  cursor.at += 1;
  return true;
}
