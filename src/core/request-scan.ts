import { type Endpoint, parseEndpoint } from '../protocol/endpoint.ts';
import type { IdHash } from './id-hash.ts';
import { asciiBytes, JsonCursor } from './json-cursor.ts';
import { CUSTOM_ID_LENGTH_MAX, MODEL_LENGTH_MAX } from './validate-input.ts';

const CLOSE_OBJECT = 0x7d;
const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
/** First bytes of false, null and true. */
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;

const CUSTOM_ID = asciiBytes('custom_id');
const METHOD = asciiBytes('method');
const POST = asciiBytes('POST');
const URL_MEMBER = asciiBytes('url');
const BODY = asciiBytes('body');
const MODEL = asciiBytes('model');
const MESSAGES = asciiBytes('messages');
const PROMPT = asciiBytes('prompt');
const INPUT = asciiBytes('input');
const STREAM = asciiBytes('stream');
const BACKGROUND = asciiBytes('background');

/**
 * Reads the head of a request line straight from its bytes, without making objects of it. What it accepts is accepted
 * by the full check (`checkLine`) too, with the same head. Anything else, and anything unusual (an escape in a name, an
 * id or a model, deep nesting, huge numbers), is left to that check, which words the errors.
 */
export class RequestScanner {
  private readonly json = new JsonCursor();
  /** What the line said, once `scan` was true. */
  endpoint: Endpoint = '/v1/chat/completions';
  model = '';
  private idFrom = 0;
  private idTo = 0;
  private hasUrl = false;
  private posts = false;
  private hasBody = false;
  /** First bytes of these members' values; 0 where there is none. */
  private messages = 0;
  private prompt = 0;
  private input = 0;

  // Lines of one file name the same few again and again.
  private lastUrl: Uint8Array = new Uint8Array(0);
  private lastEndpoint: Endpoint = '/v1/chat/completions';
  private lastModel: Uint8Array = new Uint8Array(0);
  private lastName = '';

  /** Whether the line from `from` to `to` of `bytes` is a request; false leaves it to the full check. */
  scan(bytes: Uint8Array, from: number, to: number): boolean {
    const { json } = this;
    json.open(bytes, from, to);
    this.idFrom = 0;
    this.idTo = 0;
    this.hasUrl = false;
    this.posts = false;
    this.hasBody = false;
    if (json.next() !== OPEN_OBJECT || !this.members(false) || !json.ends()) return false;
    return this.idTo > this.idFrom && this.posts && this.hasUrl && this.hasBody && this.hasInput(this.endpoint);
  }

  /** The custom_id of the line just scanned, whose bytes must still stand. */
  customId(): string {
    return this.json.textAt(this.idFrom, this.idTo);
  }

  hashId(hash: IdHash): void {
    if (this.json.utf8) hash.ofText(this.customId());
    else hash.ofAscii(this.json.run.bytes, this.idFrom, this.idTo);
  }

  private hasInput(endpoint: Endpoint): boolean {
    if (this.model === '') return false;
    if (endpoint === '/v1/chat/completions') return this.messages === OPEN_ARRAY;
    if (endpoint === '/v1/completions') return isGiven(this.prompt);
    return isGiven(this.input) || (endpoint === '/v1/responses' && isGiven(this.prompt));
  }

  /** Reads the members of the line, or of its body. Where a name stands twice the last counts, as it does for JSON.parse. */
  private members(inBody: boolean): boolean {
    const { json } = this;
    if (!json.enter(CLOSE_OBJECT)) return true;
    for (;;) {
      if (!json.name() || !(inBody ? this.bodyMember() : this.member())) return false;
      const more = json.more(CLOSE_OBJECT);
      if (more <= 0) return more === 0;
    }
  }

  private member(): boolean {
    const { json } = this;
    if (json.is(BODY)) return this.body();
    if (json.is(CUSTOM_ID)) {
      if (!json.plainString()) return false;
      this.idFrom = json.from;
      this.idTo = json.to;
      // It has no more UTF-16 units than bytes.
      return json.to - json.from <= CUSTOM_ID_LENGTH_MAX;
    }
    if (json.is(METHOD)) {
      this.posts = json.plainString() && json.is(POST);
      return this.posts;
    }
    return json.is(URL_MEMBER) ? this.url() : json.value(1);
  }

  private url(): boolean {
    const { json } = this;
    if (!json.plainString()) return false;
    if (!json.is(this.lastUrl)) {
      const endpoint = parseEndpoint(json.text());
      if (endpoint === undefined) return false;
      this.lastEndpoint = endpoint;
      this.lastUrl = json.copy();
    }
    this.endpoint = this.lastEndpoint;
    this.hasUrl = true;
    return true;
  }

  private body(): boolean {
    this.model = '';
    this.messages = 0;
    this.prompt = 0;
    this.input = 0;
    this.hasBody = true;
    return this.json.next() === OPEN_OBJECT && this.members(true);
  }

  private bodyMember(): boolean {
    const { json } = this;
    if (json.is(MODEL)) return this.modelName();
    const first = json.next();
    if (json.is(MESSAGES)) this.messages = first;
    else if (json.is(PROMPT)) this.prompt = first;
    else if (json.is(INPUT)) this.input = first;
    else if (json.is(STREAM) && first !== LETTER_F && first !== LETTER_N) return false;
    else if (json.is(BACKGROUND) && first === LETTER_T) return false;
    return json.value(2);
  }

  private modelName(): boolean {
    const { json } = this;
    if (!json.plainString()) return false;
    if (!json.is(this.lastModel)) {
      this.lastName = json.text();
      this.lastModel = json.copy();
    }
    this.model = this.lastName;
    return this.model.length <= MODEL_LENGTH_MAX;
  }
}

/** Whether a value that begins so is there and not null. */
function isGiven(first: number): boolean {
  return first !== 0 && first !== LETTER_N;
}
