import { PatternError, type PatternNode, parsePattern, type Range, WORD } from './pattern-parse.ts';

/**
 * Regular expressions over text that users write, matched in time linear in the text: all ways through the pattern are
 * followed side by side, so no pattern and no text can make it backtrack.
 */
export const PATTERN_LENGTH_MAX = 256;
/** Longer text is matched by its first characters only. */
export const PATTERN_TEXT_MAX = 4_096;
const PROGRAM_MAX = 512;

type Instruction =
  | { op: 'set'; ranges: readonly Range[]; negated: boolean }
  | { op: 'assert'; kind: 'start' | 'end' | 'word' | 'notWord' }
  | { op: 'split'; to: number; or: number }
  | { op: 'match' };

export type Pattern = (text: string) => boolean;

/**
 * Compiles `text`, in JavaScript's syntax without flags; it is matched against the first `most` characters. Throws
 * PatternError with a sentence for its author.
 */
export function compilePattern(text: string, most = PATTERN_TEXT_MAX): Pattern {
  if (text.length > PATTERN_LENGTH_MAX) {
    throw new PatternError(`is longer than ${PATTERN_LENGTH_MAX} characters; shorten it or split it over conditions`);
  }
  try {
    new RegExp(text);
  } catch {
    throw new PatternError('is not a valid regular expression');
  }
  const program: Instruction[] = [];
  emit(parsePattern(text), program);
  push(program, { op: 'match' });
  return (subject) => run(program, subject.slice(0, most));
}

function push(program: Instruction[], instruction: Instruction): number {
  if (program.length >= PROGRAM_MAX) {
    throw new PatternError('repeats too much; use smaller counts in `{…}`');
  }
  return program.push(instruction) - 1;
}

function emit(node: PatternNode, program: Instruction[]): void {
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

function emitChoice(options: readonly PatternNode[], program: Instruction[]): void {
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

function emitRepeat(node: PatternNode & { type: 'repeat' }, program: Instruction[]): void {
  for (let count = 0; count < node.min; count += 1) emit(node.item, program);
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

function run(program: readonly Instruction[], text: string): boolean {
  let threads: number[] = [];
  const seen = new Int32Array(program.length).fill(-1);
  for (let at = 0; at <= text.length; at += 1) {
    const ready: number[] = [];
    // A match may begin anywhere, so a new thread starts at each position.
    threads.push(0);
    for (const thread of threads) {
      if (follow(program, thread, text, at, seen, ready)) return true;
    }
    threads = [];
    const code = text.charCodeAt(at);
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
): boolean {
  const stack = [start];
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    const instruction = program[index];
    if (instruction === undefined || seen[index] === at) continue;
    seen[index] = at;
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
