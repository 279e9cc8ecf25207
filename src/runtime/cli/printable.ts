import { stripVTControlCharacters } from 'node:util';

/**
 * Text from servers and files may hold what a terminal obeys: escape sequences, C1 controls, marks that turn the
 * direction of writing. None of it reaches a terminal as it is.
 */
const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\p{Cs}\u{e0000}-\u{e007f}]/gu;
const WHITESPACE = /[\t\n\r\v\f]+/g;

/** One line of plain text: line breaks become spaces, other controls are shown by their code point, as `\u{1b}`. */
export function printable(text: string): string {
  return text.replaceAll(WHITESPACE, ' ').replaceAll(CONTROLS, showCodePoint);
}

/** The same, but line breaks stay. */
export function printableLines(text: string): string {
  return text
    .split(/\r\n|[\n\r]/)
    .map(printable)
    .join('\n');
}

function showCodePoint(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

// In JSON text these can stand only inside strings, so an escape in their place means the same.
const CONTROLS_IN_JSON = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu;

/** JSON text of the same meaning that no terminal obeys. */
export function printableJson(json: string): string {
  return json.replaceAll(CONTROLS_IN_JSON, (character) =>
    Array.from({ length: character.length }, (_, index) => escapeUnit(character.charCodeAt(index))).join(''),
  );
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}

/** Made when it is needed: the tables it reads take megabytes, and a server prints next to nothing. */
let segmenter: Intl.Segmenter | null = null;

function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter();
  return segmenter.segment(text);
}

const PLAIN_ASCII = /^[\x20-\x7e]*$/;
const ZERO_WIDTH = /^[\p{M}\p{Cf}]+$/u;
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]|\ufe0f/u;

/** Columns that a terminal gives to the text; colours take none. */
export function columnsOf(text: string): number {
  const plain = stripVTControlCharacters(text);
  if (PLAIN_ASCII.test(plain)) return plain.length;
  let columns = 0;
  for (const { segment } of graphemesOf(plain)) columns += columnsOfGrapheme(segment);
  return columns;
}

function columnsOfGrapheme(grapheme: string): number {
  if (ZERO_WIDTH.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

/** Cuts plain text (without colours) to at most `columns`, with … for what is left out. */
export function cut(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  if (columns < 1) return '';
  let kept = '';
  let used = 0;
  for (const { segment } of graphemesOf(text)) {
    const width = columnsOfGrapheme(segment);
    if (used + width > columns - 1) break;
    kept += segment;
    used += width;
  }
  return `${kept}…`;
}

/** Breaks plain text at spaces into lines of at most `columns`; a longer word is cut. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/ +/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (columnsOf(longer) <= columns) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = cut(word, columns);
  }
  return line === '' && lines.length > 0 ? lines : [...lines, line];
}
