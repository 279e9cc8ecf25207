import { type Endpoint, parseEndpoint } from '../protocol/endpoint.ts';
import type { FrameShape, RequestFrame, RequestLine } from '../protocol/request-line.ts';
import { parseExact } from './exact-json.ts';
import { isJson, parseRequestLine, textOf } from './validate-input.ts';

/**
 * Requests of one file often differ in their texts alone. Here a line's body is taken apart into its shape, with marks in
 * the places of the texts, and the texts as they stand: what is made of a shape once serves all lines of it.
 */

/** How a line begins where its members stand in the usual order. */
const HEAD =
  /\s*\{\s*"custom_id"\s*:\s*"([^"\\]+)"\s*,\s*"method"\s*:\s*"POST"\s*,\s*"url"\s*:\s*"([^"\\]+)"\s*,\s*"body"\s*:\s*(?=\{)/y;
const CLOSE = '}';
/** Members that hold what is said. The name ends at its second quote wherever it began: a text follows in any case. */
const TEXT = /"(?:content|text)"\s*:\s*"/g;

/** Begins a mark. A line that has this character, in whatever form, is left. */
const DELETE = '\u007f';
const DELETE_ESCAPED = '\\u007';
/** Stands in a mark as JSON writes it: in JSON inside a text the mark looks otherwise. */
const ESCAPE = '\\n';
/** Marks are numbered by characters from this on, which JSON does not escape. */
const FIRST_NUMBER = 0x30;
const TEXTS_MAX = 40;
/** Marks end so: in white space where their text may end in it, so that whoever cuts that off spoils the mark. */
const END = '.';
const OPEN_END = ' ';
const MARK_LENGTH = DELETE.length + ESCAPE.length + 2;

/** Shapes are kept: longer ones are left. */
const SHAPE_LENGTH_MAX = 65_536;
const SHAPES_MAX = 256;
/** So many new shapes in a row say that the lines of a file are not alike. */
const STRANGE_MAX = 100;

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/** A request whose body is made an object of when somebody asks for it. */
class FramedRequest implements RequestLine {
  readonly customId: string;
  readonly endpoint: Endpoint;
  // Beyond the reach of a spread: a copy with another body must not keep the frame of this one.
  readonly #frame: RequestFrame;
  readonly #json: string;
  #body: RequestLine['body'] | null = null;

  constructor(customId: string, endpoint: Endpoint, frame: RequestFrame, json: string) {
    this.customId = customId;
    this.endpoint = endpoint;
    this.#frame = frame;
    this.#json = json;
  }

  get frame(): RequestFrame {
    return this.#frame;
  }

  get body(): RequestLine['body'] {
    this.#body ??= parseExact(this.#json) as RequestLine['body'];
    return this.#body;
  }
}

/** Reads lines of one file that `checkLine` accepted, apart from their texts where they are alike but for these. */
export class FrameReader {
  readonly #shapes = new Map<string, FrameShape>();
  /** New shapes since one came again. */
  #strange = 0;

  /** The request of a line. Throws on one that `checkLine` would refuse. */
  read(bytes: Uint8Array): RequestLine {
    const framed = this.#strange > STRANGE_MAX ? null : this.#framed(textOf(bytes));
    return framed ?? parseRequestLine(bytes);
  }

  #framed(line: string): RequestLine | null {
    HEAD.lastIndex = 0;
    const [head, customId, url] = HEAD.exec(line) ?? [];
    const endpoint = url === undefined ? undefined : parseEndpoint(url);
    if (head === undefined || customId === undefined || endpoint === undefined || line.includes(DELETE)) return null;
    const last = line.lastIndexOf(CLOSE);
    const end = line.lastIndexOf(CLOSE, last - 1);
    if (line.slice(end + 1, last).trim() !== '') return null;
    const json = line.slice(head.length, end + 1);
    const parts = takeApart(json);
    const shape = parts === null ? null : this.#shapeOf(parts.json, endpoint);
    if (parts === null || shape?.endpoint !== endpoint) return null;
    return new FramedRequest(customId, endpoint, { shape, texts: parts.texts }, json);
  }

  #shapeOf(json: string, endpoint: Endpoint): FrameShape | null {
    const known = this.#shapes.get(json);
    if (known !== undefined) {
      this.#strange = 0;
      return known;
    }
    this.#strange += 1;
    // The line may have an object behind its body: then this is no JSON.
    if (!isJson(json)) return null;
    if (this.#shapes.size === SHAPES_MAX) this.#shapes.clear();
    const shape = { endpoint, json };
    this.#shapes.set(json, shape);
    return shape;
  }
}

/** A body's JSON with marks in the places of its texts, and these; null where it is not to be taken apart. */
function takeApart(body: string): { json: string; texts: string[] } | null {
  const texts: string[] = [];
  let json = '';
  let kept = 0;
  TEXT.lastIndex = 0;
  while (texts.length < TEXTS_MAX && TEXT.test(body)) {
    const from = TEXT.lastIndex;
    const to = endOfText(body, from);
    if (to < 0) return null;
    TEXT.lastIndex = to + 1;
    // What may be blank is looked at: it stays.
    if (to === from || !isVisible(body.charCodeAt(from))) continue;
    json += body.slice(kept, from) + mark(texts.length, endsVisibly(body, from, to) ? END : OPEN_END);
    texts.push(body.slice(from, to));
    kept = to;
  }
  json += body.slice(kept);
  return json.length > SHAPE_LENGTH_MAX || json.includes(DELETE_ESCAPED) ? null : { json, texts };
}

function mark(number: number, end: string): string {
  return DELETE + ESCAPE + String.fromCharCode(FIRST_NUMBER + number) + end;
}

/** Where the quote stands that ends the text that begins at `from`; -1 where there is none. */
function endOfText(json: string, from: number): number {
  let at = json.indexOf('"', from);
  while (at >= 0 && isEscaped(json, from, at)) at = json.indexOf('"', at + 1);
  return at;
}

/** Whether an odd number of backslashes stands before `at`. */
function isEscaped(json: string, from: number, at: number): boolean {
  let first = at;
  while (first > from && json.charCodeAt(first - 1) === BACKSLASH) first -= 1;
  return (at - first) % 2 === 1;
}

function endsVisibly(json: string, from: number, to: number): boolean {
  const last = to - 1;
  const isLong = json.charCodeAt(to - 6) === BACKSLASH && json.charCodeAt(to - 5) === LETTER_U;
  return isVisible(json.charCodeAt(last)) && !isLong && !isEscaped(json, from, last);
}

/** Whether a character of JSON text is neither white space, nor might be, nor begins an escape. */
function isVisible(code: number): boolean {
  return code > 0x20 && code < 0x7f && code !== BACKSLASH;
}

/** What was made of a shape: the texts of every request of this shape fit into it. */
export interface Form {
  /** What stands before, between and behind the texts. */
  pieces: readonly string[];
  /** Which text follows each piece but the last. */
  numbers: readonly number[];
}

/** The form of JSON that was made of a shape; null where something else became of a mark. */
export function formOf(json: string, shape: FrameShape): Form | null {
  const pieces: string[] = [];
  const numbers: number[] = [];
  let kept = 0;
  for (let at = json.indexOf(DELETE); at >= 0; at = json.indexOf(DELETE, kept)) {
    const found = json.slice(at, at + MARK_LENGTH);
    const number = json.charCodeAt(at + MARK_LENGTH - 2) - FIRST_NUMBER;
    if (!shape.json.includes(`"${found}"`)) return null;
    pieces.push(json.slice(kept, at));
    numbers.push(number);
    kept = at + MARK_LENGTH;
  }
  pieces.push(json.slice(kept));
  return { pieces, numbers };
}

/** Whether a mark, or a part of one, stands in a text that was made of a shape. */
export function holdsMark(text: string): boolean {
  return text.includes(DELETE);
}

/** The JSON with these texts in their places. */
export function fillForm({ pieces, numbers }: Form, texts: readonly string[]): string {
  let json = pieces[0] as string;
  for (let index = 0; index < numbers.length; index++) {
    json += (texts[numbers[index] as number] as string) + (pieces[index + 1] as string);
  }
  return json;
}
