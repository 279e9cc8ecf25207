import { type Endpoint, parseEndpoint } from '../protocol/endpoint.ts';
import type { IdHash } from './id-hash.ts';
import { asciiBytes, JsonCursor } from './json-cursor.ts';
import { KnownBytes } from './text-run.ts';
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

/** What keeping the beginning of a line costs, in lines that begin like it: where none do, none are kept after a while. */
const KEEP_COST = 16;
const CREDIT_MAX = 64;

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

  // Nor do their lines begin in many ways: what an earlier line had before its id and between that and the first input of
  // its body, with what was known by then, need not be read again.
  private before = new KnownBytes(new Uint8Array(0));
  private after = this.before;
  private keptEndpoint: Endpoint = '/v1/chat/completions';
  private keptModel = '';
  private keptInput: Uint8Array = MESSAGES;
  private credit = CREDIT_MAX;

  /** Whether the line from `from` to `to` of `bytes` is a request; false leaves it to the full check. */
  scan(bytes: Uint8Array, from: number, to: number): boolean {
    const { json } = this;
    json.open(bytes, from, to);
    this.idFrom = 0;
    this.idTo = 0;
    this.hasUrl = false;
    this.posts = false;
    this.hasBody = false;
    if (!(this.likeBefore() ?? (json.next() === OPEN_OBJECT && this.members(false))) || !json.ends()) return false;
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

  /** Reads a line that begins like the one that was kept; null when it does not, with nothing read. */
  private likeBefore(): boolean | null {
    const { json } = this;
    if (this.before.length === 0 || !json.passes(this.before) || !this.id() || !json.passes(this.after)) {
      json.goTo(json.start);
      this.idFrom = 0;
      this.idTo = 0;
      return null;
    }
    this.credit = Math.min(CREDIT_MAX, this.credit + 1);
    this.posts = true;
    this.hasUrl = true;
    this.endpoint = this.keptEndpoint;
    this.beginBody();
    this.model = this.keptModel;
    this.note(this.keptInput, json.next());
    return json.value(2) && this.moreMembers(true) && this.moreMembers(false);
  }

  /** Keeps the beginning of a line that stands before the value of `input`, the first of its body's inputs. */
  private keep(input: Uint8Array): void {
    const { json } = this;
    const isAlone = this.messages === 0 && this.prompt === 0 && this.input === 0;
    const isKnown = this.idTo > this.idFrom && this.posts && this.hasUrl && this.model !== '';
    // What is beyond ASCII is to be looked at in every line.
    if (!isAlone || !isKnown || json.utf8 || this.credit < KEEP_COST) return;
    this.credit -= KEEP_COST;
    this.before = json.known(json.start, this.idFrom - 1);
    this.after = json.known(this.idTo + 1, json.place);
    this.keptEndpoint = this.endpoint;
    this.keptModel = this.model;
    this.keptInput = input;
  }

  /** Reads the members of the line, or of its body. Where a name stands twice the last counts, as it does for JSON.parse. */
  private members(inBody: boolean): boolean {
    if (!this.json.enter(CLOSE_OBJECT)) return true;
    return this.nextMember(inBody) && this.moreMembers(inBody);
  }

  /** Reads on after a member. */
  private moreMembers(inBody: boolean): boolean {
    for (;;) {
      const more = this.json.more(CLOSE_OBJECT);
      if (more <= 0) return more === 0;
      if (!this.nextMember(inBody)) return false;
    }
  }

  private nextMember(inBody: boolean): boolean {
    return this.json.name() && (inBody ? this.bodyMember() : this.member());
  }

  private member(): boolean {
    const { json } = this;
    if (json.is(BODY)) return this.body();
    if (json.is(CUSTOM_ID)) return this.id();
    if (json.is(METHOD)) {
      this.posts = json.plainString() && json.is(POST);
      return this.posts;
    }
    return json.is(URL_MEMBER) ? this.url() : json.value(1);
  }

  private id(): boolean {
    const { json } = this;
    if (!json.plainString()) return false;
    this.idFrom = json.from;
    this.idTo = json.to;
    // It has no more UTF-16 units than bytes.
    return json.to - json.from <= CUSTOM_ID_LENGTH_MAX;
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

  private beginBody(): void {
    this.model = '';
    this.messages = 0;
    this.prompt = 0;
    this.input = 0;
    this.hasBody = true;
  }

  private body(): boolean {
    this.beginBody();
    return this.json.next() === OPEN_OBJECT && this.members(true);
  }

  private bodyMember(): boolean {
    const { json } = this;
    if (json.is(MODEL)) return this.modelName();
    const first = json.next();
    const input = this.inputName();
    if (input !== null) {
      this.keep(input);
      this.note(input, first);
    } else if (json.is(STREAM) && first !== LETTER_F && first !== LETTER_N) return false;
    else if (json.is(BACKGROUND) && first === LETTER_T) return false;
    return json.value(2);
  }

  /** Which of the inputs the last name is. */
  private inputName(): Uint8Array | null {
    if (this.json.is(MESSAGES)) return MESSAGES;
    if (this.json.is(PROMPT)) return PROMPT;
    return this.json.is(INPUT) ? INPUT : null;
  }

  /** Notes how the value of an input begins. */
  private note(input: Uint8Array, first: number): void {
    if (input === MESSAGES) this.messages = first;
    else if (input === PROMPT) this.prompt = first;
    else this.input = first;
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
