import { GradeError } from './grader.ts';

type Scores = Readonly<Record<string, number>>;
type Node = (scores: Scores) => number;

const FUNCTIONS: ReadonlyMap<string, { least: number; most: number; run: (...values: number[]) => number }> = new Map([
  ['min', { least: 1, most: 100, run: Math.min }],
  ['max', { least: 1, most: 100, run: Math.max }],
  ['abs', { least: 1, most: 1, run: Math.abs }],
  ['floor', { least: 1, most: 1, run: Math.floor }],
  ['ceil', { least: 1, most: 1, run: Math.ceil }],
  ['exp', { least: 1, most: 1, run: Math.exp }],
  ['sqrt', { least: 1, most: 1, run: Math.sqrt }],
  ['log', { least: 1, most: 1, run: Math.log }],
]);

const TOKEN = /\s*(?:(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(\*\*|[-+*/^(),]))/y;
const DEPTH_MAX = 50;

/**
 * A formula over the scores of named graders: numbers, names, + - * / ^ and brackets, min max abs floor ceil exp sqrt log
 * (OpenAI's `calculate_output` of multi graders). Nothing else is understood, and nothing is run. Throws GradeError, code
 * `invalid_formula`; what it returns throws GradeError where the result is no finite number.
 */
export function compileFormula(text: string, names: readonly string[]): (scores: Scores) => number {
  const parser = new Parser(text, new Set(names));
  const node = parser.sum();
  parser.end();
  return (scores) => {
    const result = node(scores);
    if (!Number.isFinite(result))
      throw new GradeError('not_a_number', `'${text.slice(0, 100)}' gives no finite number`);
    return result;
  };
}

class Parser {
  private readonly text: string;
  private readonly names: ReadonlySet<string>;
  private readonly tokens: string[] = [];
  private at = 0;
  private depth = 0;

  constructor(text: string, names: ReadonlySet<string>) {
    this.text = text;
    this.names = names;
    const end = text.trimEnd().length;
    for (TOKEN.lastIndex = 0; TOKEN.lastIndex < end; ) {
      const from = TOKEN.lastIndex;
      const match = TOKEN.exec(text);
      if (match === null) throw this.refuse(`'${text.slice(from, from + 10).trim()}' is not understood`);
      this.tokens.push(match[0].trim());
    }
  }

  sum(): Node {
    if (++this.depth > DEPTH_MAX) throw this.refuse('it is nested too deeply');
    let left = this.product();
    for (let sign = this.take('+', '-'); sign !== null; sign = this.take('+', '-')) {
      const [before, after] = [left, this.product()];
      left = sign === '+' ? (scores) => before(scores) + after(scores) : (scores) => before(scores) - after(scores);
    }
    this.depth -= 1;
    return left;
  }

  end(): void {
    const rest = this.tokens[this.at];
    if (rest !== undefined) throw this.refuse(`'${rest}' is not expected there`);
  }

  private product(): Node {
    let left = this.signed();
    for (let sign = this.take('*', '/'); sign !== null; sign = this.take('*', '/')) {
      const [before, after] = [left, this.signed()];
      left = sign === '*' ? (scores) => before(scores) * after(scores) : (scores) => before(scores) / after(scores);
    }
    return left;
  }

  /** A minus binds less than a power: -2^2 is -4. */
  private signed(): Node {
    let negative = false;
    for (let sign = this.take('+', '-'); sign !== null; sign = this.take('+', '-'))
      if (sign === '-') negative = !negative;
    const value = this.power();
    return negative ? (scores) => -value(scores) : value;
  }

  private power(): Node {
    const base = this.value();
    if (this.take('^', '**') === null) return base;
    if (++this.depth > DEPTH_MAX) throw this.refuse('it is nested too deeply');
    const exponent = this.signed();
    this.depth -= 1;
    return (scores) => base(scores) ** exponent(scores);
  }

  private value(): Node {
    const token = this.tokens[this.at++];
    if (token === undefined) throw this.refuse('something is missing at its end');
    if (token === '(') {
      const inner = this.sum();
      this.expect(')');
      return inner;
    }
    if (/^[\d.]/.test(token)) {
      const number = Number(token);
      return () => number;
    }
    const known = FUNCTIONS.get(token);
    if (known !== undefined && this.take('(') !== null) return this.call(token, known);
    if (!this.names.has(token))
      throw this.refuse(`'${token}' is neither a number nor one of ${[...this.names].join(', ')}`);
    return (scores) => scores[token] ?? Number.NaN;
  }

  private call(
    name: string,
    { least, most, run }: { least: number; most: number; run: (...values: number[]) => number },
  ): Node {
    const values = [this.sum()];
    while (this.take(',') !== null) values.push(this.sum());
    this.expect(')');
    if (values.length < least || values.length > most)
      throw this.refuse(`${name} takes ${most === 1 ? 'one value' : 'fewer values'}`);
    return (scores) => run(...values.map((value) => value(scores)));
  }

  private expect(token: string): void {
    if (this.take(token) === null) throw this.refuse(`a '${token}' is missing`);
  }

  private take(...wanted: string[]): string | null {
    const token = this.tokens[this.at];
    if (token === undefined || !wanted.includes(token)) return null;
    this.at += 1;
    return token;
  }

  private refuse(why: string): GradeError {
    return new GradeError('invalid_formula', `the formula '${this.text.slice(0, 100)}' cannot be read: ${why}`);
  }
}
