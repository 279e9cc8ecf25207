import { Buffer } from 'node:buffer';
import { type Endpoint, parseEndpoint } from '../protocol/endpoint.ts';
import type { BodyOutline, RequestLine } from '../protocol/request-line.ts';
import { parseExact } from './exact-json.ts';
import { asciiBytes, JsonCursor } from './json-cursor.ts';
import { openText } from './json-pick.ts';
import { OUTPUT_LIMITS } from './tokens.ts';
import { MODEL_LENGTH_MAX, parseRequestLine, textOf } from './validate-input.ts';

const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_OBJECT = 0x7d;
const OPEN_OBJECT = 0x7b;
const LETTER_N = 0x6e;

const CUSTOM_ID = asciiBytes('custom_id');
const URL_MEMBER = asciiBytes('url');
const BODY = asciiBytes('body');

/** What makes answers of one. */
const MULTIPLIERS: ReadonlySet<string> = new Set(['n', 'best_of']);

/** A body with more members is parsed. */
const MEMBERS_MAX = 64;

/** By which member a body is known to be a request of its endpoint. */
const INPUTS: Partial<Record<Endpoint, string>> = {
  '/v1/chat/completions': 'messages',
  '/v1/completions': 'prompt',
  '/v1/embeddings': 'input',
};

/** A request whose body is made an object of when somebody asks for it. */
class OutlinedRequest implements RequestLine {
  readonly customId: string;
  readonly endpoint: Endpoint;
  // Beyond the reach of a spread: a copy with another body must not keep the outline of this one.
  readonly #outline: BodyOutline;
  #body: RequestLine['body'] | null = null;

  constructor(customId: string, endpoint: Endpoint, outline: BodyOutline) {
    this.customId = customId;
    this.endpoint = endpoint;
    this.#outline = outline;
  }

  get outline(): BodyOutline {
    return this.#outline;
  }

  get body(): RequestLine['body'] {
    this.#body ??= parseExact(textOf(this.#outline.bytes)) as RequestLine['body'];
    return this.#body;
  }
}

/** Reads request lines of one file that `checkLine` accepted, and leaves their bodies as bytes where they are plain. */
export class RequestReader {
  private readonly json = new JsonCursor();
  private customId = '';
  private endpoint: Endpoint | undefined;
  private bodyFrom = 0;
  private bodyTo = 0;
  /** Places of values in the buffer: -1 where there is none. */
  private modelFrom = -1;
  private modelTo = -1;
  private readonly limitsFrom = OUTPUT_LIMITS.map(() => -1);
  private readonly limitsTo = OUTPUT_LIMITS.map(() => -1);
  /** Whether more than one answer may be asked for. */
  private asksForSeveral = false;
  /** The member to look for in the body of a call, and the first byte of its value. */
  private input = '';
  private inputBegins = 0;

  // Lines of one file name the same few again and again, in the same order.
  private lastUrl: Uint8Array = new Uint8Array(0);
  private lastEndpoint: Endpoint | undefined;
  private names: string[] = [];
  private nameBytes: Uint8Array[] = [];
  private lastModel: Uint8Array = new Uint8Array(0);
  private lastName = '';

  /** The request of a line. Throws on one that `checkLine` would refuse. */
  read(line: Uint8Array): RequestLine {
    return this.outlined(line) ?? parseRequestLine(line);
  }

  /**
   * The request of a body that stands alone, and the model that it names; null for one that is to be parsed and checked.
   * What it accepts is accepted by `checkCallBody` too.
   */
  readBody(customId: string, endpoint: Endpoint, raw: Uint8Array): { request: OutlinedRequest; model: string } | null {
    const { json } = this;
    openText(json, raw);
    this.input = INPUTS[endpoint] ?? '';
    this.inputBegins = 0;
    const isRead = this.body() && json.ends();
    this.input = '';
    const model = isRead && this.hasInput(endpoint) ? this.modelName() : null;
    if (model === null) return null;
    const base = json.start;
    const request = new OutlinedRequest(customId, endpoint, {
      bytes: Buffer.from(raw.buffer, raw.byteOffset + this.bodyFrom - base, this.bodyTo - this.bodyFrom),
      names: this.names,
      modelFrom: this.modelFrom - this.bodyFrom,
      modelTo: this.modelTo - this.bodyFrom,
      outputLimit: this.outputLimit(),
    });
    return { request, model };
  }

  private hasInput(endpoint: Endpoint): boolean {
    if (endpoint === '/v1/chat/completions') return this.inputBegins === OPEN_ARRAY;
    return this.inputBegins !== 0 && this.inputBegins !== LETTER_N;
  }

  /** The body's model; null where it is none, or has an escape. */
  private modelName(): string | null {
    const { modelFrom: from, modelTo: to, json } = this;
    const { bytes } = json.run;
    if (from < 0 || bytes[from] !== QUOTE || to - from < 3) return null;
    const { lastModel } = this;
    let same = lastModel.length === to - from;
    for (let index = 0; same && index < lastModel.length; index++) same = bytes[from + index] === lastModel[index];
    if (same) return this.lastName;
    const name = json.textAt(from + 1, to - 1);
    if (name.includes('\\') || name.length > MODEL_LENGTH_MAX) return null;
    this.lastModel = new Uint8Array(bytes.subarray(from, to));
    this.lastName = name;
    return name;
  }

  private outlined(line: Uint8Array): RequestLine | null {
    const { json } = this;
    json.open(line, 0, line.length);
    this.customId = '';
    this.endpoint = undefined;
    this.bodyTo = 0;
    if (json.next() !== OPEN_OBJECT || !this.lineMembers() || !json.ends()) return null;
    const { customId, endpoint, modelFrom } = this;
    if (customId === '' || endpoint === undefined || this.bodyTo === 0 || modelFrom < 0) return null;
    return new OutlinedRequest(customId, endpoint, {
      // A copy: the line's own bytes hold on to all that was read with it.
      bytes: Buffer.from(json.run.bytes.subarray(this.bodyFrom, this.bodyTo)),
      names: this.names,
      modelFrom: modelFrom - this.bodyFrom,
      modelTo: this.modelTo - this.bodyFrom,
      outputLimit: this.outputLimit(),
    });
  }

  private lineMembers(): boolean {
    const { json } = this;
    if (!json.enter(CLOSE_OBJECT)) return true;
    for (;;) {
      if (!json.name() || !this.lineMember()) return false;
      const more = json.more(CLOSE_OBJECT);
      if (more <= 0) return more === 0;
    }
  }

  private lineMember(): boolean {
    const { json } = this;
    if (json.is(BODY)) return this.body();
    if (json.is(CUSTOM_ID)) {
      if (!json.plainString()) return false;
      this.customId = json.text();
      return true;
    }
    if (!json.is(URL_MEMBER)) return json.value(1);
    if (!json.plainString()) return false;
    if (!json.is(this.lastUrl)) {
      this.lastEndpoint = parseEndpoint(json.text());
      this.lastUrl = json.copy();
    }
    this.endpoint = this.lastEndpoint;
    return true;
  }

  private body(): boolean {
    const { json } = this;
    this.modelFrom = -1;
    this.limitsFrom.fill(-1);
    this.asksForSeveral = false;
    if (json.next() !== OPEN_OBJECT) return false;
    this.bodyFrom = json.place;
    if (!this.bodyMembers()) return false;
    this.bodyTo = json.place;
    return true;
  }

  private bodyMembers(): boolean {
    const { json } = this;
    let count = 0;
    if (json.enter(CLOSE_OBJECT)) {
      for (;;) {
        if (count === MEMBERS_MAX || !json.name() || !this.nameAt(count)) return false;
        json.next();
        const from = json.place;
        if (!json.value(2)) return false;
        this.note(this.names[count] as string, from, json.place);
        count += 1;
        const more = json.more(CLOSE_OBJECT);
        if (more < 0) return false;
        if (more === 0) break;
      }
    }
    if (count < this.names.length) this.cutNames(count);
    return true;
  }

  /** Whether the name just passed may be the body's member number `index`: none stands twice. */
  private nameAt(index: number): boolean {
    const known = this.nameBytes[index];
    if (known !== undefined && this.json.is(known)) return true;
    const name = this.json.text();
    this.cutNames(index);
    if (this.names.includes(name)) return false;
    this.names.push(name);
    this.nameBytes.push(this.json.copy());
    return true;
  }

  /** Outlines share the list of names: another one begins with as many of them. */
  private cutNames(count: number): void {
    this.names = this.names.slice(0, count);
    this.nameBytes = this.nameBytes.slice(0, count);
  }

  private note(name: string, from: number, to: number): void {
    const isPromptList = name === 'prompt' && this.json.run.bytes[from] === OPEN_ARRAY;
    this.asksForSeveral ||= isPromptList || MULTIPLIERS.has(name);
    if (name === 'model') {
      this.modelFrom = from;
      this.modelTo = to;
      return;
    }
    if (name === this.input) {
      this.inputBegins = this.json.run.bytes[from] as number;
      return;
    }
    const limit = OUTPUT_LIMITS.indexOf(name);
    if (limit < 0) return;
    this.limitsFrom[limit] = from;
    this.limitsTo[limit] = to;
  }

  private outputLimit(): number | null {
    if (this.asksForSeveral) return null;
    const { bytes } = this.json.run;
    for (let index = 0; index < OUTPUT_LIMITS.length; index++) {
      const from = this.limitsFrom[index] as number;
      if (from < 0 || bytes[from] === LETTER_N) continue;
      return this.limitAt(from, this.limitsTo[index] as number);
    }
    return 0;
  }

  /** The limit that stands between two places: 0 for a value that is none. */
  private limitAt(from: number, to: number): number {
    const { json } = this;
    json.goTo(from);
    const whole = json.wholeNumber();
    if (whole >= 0 && json.place === to) return whole;
    const limit = Number(json.textAt(from, to));
    return limit > 0 ? limit : 0;
  }
}

/** The bytes of a body with `model` as its model, and nothing else changed. */
export function withModel({ bytes, modelFrom, modelTo }: BodyOutline, model: string): Uint8Array {
  const value = model === lastModel.name ? lastModel.value : Buffer.from(JSON.stringify(model));
  if (value !== lastModel.value) lastModel = { name: model, value };
  if (value.compare(bytes, modelFrom, modelTo) === 0) return bytes;
  // No part is made a view of for it: that takes longer than to copy it.
  const body = Buffer.allocUnsafe(modelFrom + value.length + bytes.length - modelTo);
  bytes.copy(body, 0, 0, modelFrom);
  value.copy(body, modelFrom);
  bytes.copy(body, modelFrom + value.length, modelTo);
  return body;
}

/** Requests name the same models again and again: the last one's JSON is kept. */
let lastModel = { name: '', value: Buffer.from('""') };
