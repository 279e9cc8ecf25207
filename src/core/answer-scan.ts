import { Buffer } from 'node:buffer';
import type { Endpoint } from '../protocol/endpoint.ts';
import { AlikeValue } from './alike-value.ts';
import { asciiBytes, JsonCursor } from './json-cursor.ts';
import { openText, Word } from './json-pick.ts';

const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const LETTER_N = 0x6e;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const ERROR = asciiBytes('error');
const USAGE = asciiBytes('usage');
const CHOICES = asciiBytes('choices');
const DATA = asciiBytes('data');
const OBJECT = asciiBytes('object');
const MODEL = asciiBytes('model');
const SERVICE_TIER = asciiBytes('service_tier');
const FINISH_REASON = asciiBytes('finish_reason');

/** By what the answers of an endpoint are known to be whole: a list whose items must each have a member. */
interface Whole {
  list: Uint8Array;
  member: Uint8Array;
  /** First bytes that the member's value may have. */
  begins: readonly number[];
}

const WHOLE: Partial<Record<Endpoint, Whole>> = {
  '/v1/chat/completions': { list: CHOICES, member: asciiBytes('message'), begins: [OPEN_OBJECT] },
  '/v1/completions': { list: CHOICES, member: asciiBytes('text'), begins: [QUOTE] },
  '/v1/embeddings': { list: DATA, member: asciiBytes('embedding'), begins: [OPEN_ARRAY, QUOTE] },
};

/** U+0085, U+2028 and U+2029, which must be escaped in a line (core/jsonl.ts). */
const SEPARATORS = ['\u0085', '\u2028', '\u2029'].map((separator) => Buffer.from(separator));

/** Members of a whole answer that somebody asks for; null where they are absent, or not what they should be. */
export interface ScannedAnswer {
  object: string | null;
  model: string | null;
  serviceTier: string | null;
  usage: unknown;
  /** Of each choice. Of embeddings, whose items have none, all are null. */
  finishReasons: (string | null)[];
}

/**
 * Goes over an answer in OpenAI's shape in its bytes, so that one whose text is passed on as it is need not be parsed.
 * It takes whole answers on one line, with nothing to escape or to mend. Anything else, and anything unusual, is null and
 * left to the full reading (providers/shared/openai-results.ts).
 */
export class AnswerScanner {
  private readonly json: JsonCursor;
  private readonly object = new Word();
  private readonly model = new Word();
  private readonly tier = new Word();
  private readonly reason = new Word();
  private readonly words = [
    { name: OBJECT, word: this.object },
    { name: MODEL, word: this.model },
    { name: SERVICE_TIER, word: this.tier },
  ] as const;
  private readonly usage = new AlikeValue();
  private isWhole = false;
  private finishReasons: (string | null)[] = [];

  constructor(json = new JsonCursor()) {
    this.json = json;
  }

  scan(endpoint: Endpoint, body: Uint8Array): ScannedAnswer | null {
    const { json } = this;
    openText(json, body);
    if (!this.pass(endpoint) || !json.ends() || json.passedLineEnd) return null;
    if (json.utf8 && hasSeparator(body)) return null;
    return this.found();
  }

  /** Passes the answer at which the cursor stands; false for one that is to be left. */
  pass(endpoint: Endpoint): boolean {
    const whole = WHOLE[endpoint];
    if (whole === undefined) return false;
    for (const { word } of this.words) word.clear();
    this.usage.clear();
    this.isWhole = false;
    return this.json.next() === OPEN_OBJECT && this.members(whole) && this.isWhole;
  }

  /** What the answer says that was passed. */
  found(): ScannedAnswer {
    return {
      object: this.object.text,
      model: this.model.text,
      serviceTier: this.tier.text,
      usage: this.usage.value(this.json) ?? null,
      finishReasons: this.finishReasons,
    };
  }

  private members(whole: Whole): boolean {
    const { json } = this;
    if (!json.enter(CLOSE_OBJECT)) return true;
    for (;;) {
      if (!json.name() || !this.member(whole)) return false;
      const more = json.more(CLOSE_OBJECT);
      if (more <= 0) return more === 0;
    }
  }

  /** Of a name that stands twice the last value counts, as it does for JSON.parse; but an error is left in any case. */
  private member(whole: Whole): boolean {
    const { json } = this;
    if (json.is(whole.list)) return this.items(whole);
    if (json.is(CHOICES)) return false;
    if (json.is(ERROR)) return json.next() === LETTER_N && json.value(1);
    if (json.is(USAGE)) return this.usage.read(json, 1);
    for (const { name, word } of this.words) if (json.is(name)) return word.read(json, 1);
    return json.value(1);
  }

  private items(whole: Whole): boolean {
    const { json } = this;
    this.finishReasons = [];
    this.isWhole = false;
    if (json.next() !== OPEN_ARRAY || !json.enter(CLOSE_ARRAY)) return false;
    for (;;) {
      if (json.next() !== OPEN_OBJECT || !this.item(whole)) return false;
      this.finishReasons.push(this.reason.text);
      const more = json.more(CLOSE_ARRAY);
      if (more > 0) continue;
      this.isWhole = true;
      return more === 0;
    }
  }

  private item({ member, begins }: Whole): boolean {
    const { json, reason } = this;
    let has = false;
    reason.clear();
    if (!json.enter(CLOSE_OBJECT)) return false;
    for (;;) {
      if (!json.name()) return false;
      if (json.is(FINISH_REASON)) {
        if (!reason.read(json, 3)) return false;
      } else {
        if (json.is(member)) has = begins.includes(json.next());
        if (!json.value(3)) return false;
      }
      const more = json.more(CLOSE_OBJECT);
      if (more <= 0) return more === 0 && has;
    }
  }
}

/** Whether a character stands in an answer that must be escaped in a line. */
export function hasSeparator(body: Uint8Array): boolean {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return SEPARATORS.some((separator) => bytes.includes(separator));
}
