import { PatternError, type PatternNode, parsePattern, type Range, WORD } from './pattern-parse.ts';

/**
 * Regular expressions over text that users write, matched in time linear in the text: all ways through the pattern are
 * followed side by side, so no pattern and no text can make it backtrack.
 */
export const PATTERN_LENGTH_MAX = 256;
/** Longer text is matched by its first characters only. */
export const PATTERN_TEXT_MAX = 4_096;
const PROGRAM_MAX = 512;
/** Of patterns in JSON schemas, whose matching has a budget. */
const SCHEMA_LENGTH_MAX = 4_096;
const SCHEMA_PROGRAM_MAX = 8_192;

type Instruction =
  | { op: 'set'; ranges: readonly Range[]; negated: boolean }
  | { op: 'assert'; kind: 'start' | 'end' | 'word' | 'notWord' }
  | { op: 'split'; to: number; or: number }
  | { op: 'match' };

/** While it is made; `most` is how long it may become. */
type Program = Instruction[] & { most: number };

export type Pattern = (text: string) => boolean;

/**
 * Compiles `text`, in JavaScript's syntax without flags; it is matched against the first `most` characters. Throws
 * PatternError with a sentence for its author.
 */
export function compilePattern(text: string, most = PATTERN_TEXT_MAX): Pattern {
  if (text.length > PATTERN_LENGTH_MAX) {
    throw new PatternError(`is longer than ${PATTERN_LENGTH_MAX} characters; shorten it or split it over conditions`);
  }
  if (!isRegExp(text)) throw new PatternError('is not a valid regular expression');
  const program = compile(parsePattern(text), PROGRAM_MAX);
  return (subject) => run(program, subject.slice(0, most), 1, () => undefined);
}

/**
 * Compiles a JSON schema's `pattern`: as by the flag `u`, but that punctuation may be escaped that need not be. It is
 * matched against the whole text; `spend` is called for each instruction that is followed, and may throw. Throws PatternError.
 */
export function compileSchemaPattern(text: string, spend: () => void): Pattern {
  if (text.length > SCHEMA_LENGTH_MAX) throw new PatternError(`is longer than ${SCHEMA_LENGTH_MAX} characters`);
  if (!isRegExp(withoutEscapedSigns(text), 'u') && !isRegExp(text))
    throw new PatternError('is not a valid regular expression');
  const program = compile(parsePattern(text, true), SCHEMA_PROGRAM_MAX);
  return (subject) => run(program, subject, 2, spend);
}

function isRegExp(text: string, flags = ''): boolean {
  try {
    new RegExp(text, flags);
    return true;
  } catch {
    return false;
  }
}

/** The flag `u` refuses to escape a sign that needs none. */
function withoutEscapedSigns(text: string): string {
  return text.replaceAll(/\\([!-/:-@[-`{-~])/g, (_all, sign: string) => `\\x${sign.charCodeAt(0).toString(16)}`);
}

function compile(node: PatternNode, most: number): Instruction[] {
  const program: Program = Object.assign([], { most });
  emit(node, program);
  push(program, { op: 'match' });
  return program;
}

function push(program: Program, instruction: Instruction): number {
  if (program.length >= program.most) {
    throw new PatternError('repeats too much; use smaller counts in `{…}`');
  }
  return program.push(instruction) - 1;
}

function emit(node: PatternNode, program: Program): void {
  switch (node.type) {
    case 'set':
      push(program, { op: 'set', ranges: node.ranges, negated: node.negated });
      return;
    case 'assert':
      push(program, { op: 'assert', kind: node.kind });
      return;
    case 'sequence':
      for (const item of node.items) emit(item, program);
      return;
    case 'choice':
      emitChoice(node.options, program);
      return;
    case 'repeat':
      emitRepeat(node, program);
      return;
    default:
      node satisfies never;
  }
}

function emitChoice(options: readonly PatternNode[], program: Program): void {
  const ends: number[] = [];
  for (const [index, option] of options.entries()) {
    if (index === options.length - 1) {
      emit(option, program);
      break;
    }
    const split = push(program, { op: 'split', to: program.length + 1, or: 0 });
    emit(option, program);
    ends.push(push(program, { op: 'split', to: 0, or: 0 }));
    program[split] = { op: 'split', to: split + 1, or: program.length };
  }
  for (const end of ends) program[end] = { op: 'split', to: program.length, or: program.length };
}

function emitRepeat(node: PatternNode & { type: 'repeat' }, program: Program): void {
  for (let count = 0; count < node.min; count += 1) {
    const before = program.length;
    emit(node.item, program);
    // What is empty once is empty as often as its author says, which may be millions of times.
    if (program.length === before) return;
  }
  if (node.max === Number.POSITIVE_INFINITY) {
    const split = push(program, { op: 'split', to: 0, or: 0 });
    emit(node.item, program);
    push(program, { op: 'split', to: split, or: split });
    program[split] = { op: 'split', to: split + 1, or: program.length };
    return;
  }
  const splits: number[] = [];
  for (let count = node.min; count < node.max; count += 1) {
    splits.push(push(program, { op: 'split', to: 0, or: 0 }));
    emit(node.item, program);
  }
  for (const split of splits) program[split] = { op: 'split', to: split + 1, or: program.length };
}

/** `width` is how many code units a character may have: 1, or 2 in Unicode mode. */
function run(program: readonly Instruction[], text: string, width: 1 | 2, spend: () => void): boolean {
  let threads: number[] = [];
  const seen = new Int32Array(program.length).fill(-1);
  for (let at = 0, step = 1; at <= text.length; at += step) {
    const ready: number[] = [];
    // A match may begin anywhere, so a new thread starts at each position.
    threads.push(0);
    for (const thread of threads) {
      if (follow(program, thread, text, at, seen, ready, spend)) return true;
    }
    threads = [];
    const code = (width === 1 ? text.charCodeAt(at) : text.codePointAt(at)) ?? 0;
    step = code > 0xffff ? 2 : 1;
    for (const index of ready) {
      const instruction = program[index];
      if (instruction?.op === 'set' && at < text.length && holds(instruction.ranges, code) !== instruction.negated) {
        threads.push(index + 1);
      }
    }
  }
  return false;
}

/** Goes on from `start` without reading; collects the sets that wait for a character. True when the pattern is done. */
function follow(
  program: readonly Instruction[],
  start: number,
  text: string,
  at: number,
  seen: Int32Array,
  ready: number[],
  spend: () => void,
): boolean {
  const stack = [start];
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    const instruction = program[index];
    if (instruction === undefined || seen[index] === at) continue;
    seen[index] = at;
    spend();
    if (instruction.op === 'match') return true;
    if (instruction.op === 'split') stack.push(instruction.to, instruction.or);
    else if (instruction.op === 'set') ready.push(index);
    else if (isTrue(instruction.kind, text, at)) stack.push(index + 1);
  }
  return false;
}

function isTrue(kind: 'start' | 'end' | 'word' | 'notWord', text: string, at: number): boolean {
  if (kind === 'start') return at === 0;
  if (kind === 'end') return at === text.length;
  const boundary = isWord(text, at - 1) !== isWord(text, at);
  return kind === 'word' ? boundary : !boundary;
}

function isWord(text: string, at: number): boolean {
  return at >= 0 && at < text.length && holds(WORD, text.charCodeAt(at));
}

function holds(ranges: readonly Range[], code: number): boolean {
  for (const [first, last] of ranges) if (code >= first && code <= last) return true;
  return false;
}
