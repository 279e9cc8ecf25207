import { Buffer } from 'node:buffer';
import type { Endpoint } from '../protocol/endpoint.ts';
import { AlikeValue } from './alike-value.ts';
import { JsonCursor } from './json-cursor.ts';
import { Members, openText, type Picked, Span, Word } from './json-pick.ts';

const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const LETTER_N = 0x6e;
const OPEN_OBJECT = 0x7b;

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

/** A value that must be there, and begin in one of these ways. */
class Needed implements Picked {
  isRead = false;
  readonly #begins: readonly number[];
  readonly #value: Picked;

  constructor(begins: readonly number[], value: Picked = new Span()) {
    this.#begins = begins;
    this.#value = value;
  }

  clear(): void {
    this.isRead = false;
    this.#value.clear();
  }

  read(json: JsonCursor, depth: number): boolean {
    this.isRead = this.#begins.includes(json.next()) && this.#value.read(json, depth);
    return this.isRead;
  }
}

/** A value that is null where it is there at all. */
const nothing: Picked = {
  clear: () => undefined,
  read: (json, depth) => json.next() === LETTER_N && json.value(depth),
};

/** A member that an answer of the endpoint does not have. */
const unexpected: Picked = { clear: () => undefined, read: () => false };

/** The list by which an answer is known to be whole: it has items, and each of them what it needs. */
class WholeList implements Picked {
  finishReasons: (string | null)[] = [];
  private readonly reason = new Word();
  private readonly needed: Needed;
  private readonly item: Members;

  constructor(name: string, needed: Needed) {
    this.needed = needed;
    this.item = new Members({ [name]: needed, finish_reason: this.reason });
  }

  clear(): void {
    this.finishReasons = [];
  }

  read(json: JsonCursor, depth: number): boolean {
    this.finishReasons = [];
    if (json.next() !== OPEN_ARRAY || !json.enter(CLOSE_ARRAY)) return false;
    for (;;) {
      if (!this.item.read(json, depth + 1) || !this.needed.isRead) return false;
      if (this.finishReasons.length === 0) this.finishReasons = [this.reason.text];
      else this.finishReasons.push(this.reason.text);
      const more = json.more(CLOSE_ARRAY);
      if (more <= 0) return more === 0;
    }
  }
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
  private readonly usage = new AlikeValue();
  /** By what the answers of an endpoint are known to be whole. */
  private readonly lists: Partial<Record<Endpoint, WholeList>> = {
    '/v1/chat/completions': new WholeList('message', new Needed([OPEN_OBJECT], new Members({ content: new Span() }))),
    '/v1/completions': new WholeList('text', new Needed([QUOTE])),
    '/v1/embeddings': new WholeList('embedding', new Needed([OPEN_ARRAY, QUOTE])),
  };
  private readonly answers: Partial<Record<Endpoint, Members>>;
  /** That of the answer that was passed. */
  private list: WholeList | undefined;

  constructor(json = new JsonCursor()) {
    this.json = json;
    const { object, model, usage, tier } = this;
    const answerWith = (lists: Readonly<Record<string, Picked | undefined>>) =>
      new Members({
        // What differs from answer to answer is passed for itself, so that what stands between can be compared.
        id: new Span(),
        object,
        created: new Span(),
        model,
        ...(lists as Readonly<Record<string, Picked>>),
        usage,
        service_tier: tier,
        error: nothing,
      });
    this.answers = {
      '/v1/chat/completions': answerWith({ choices: this.lists['/v1/chat/completions'] }),
      '/v1/completions': answerWith({ choices: this.lists['/v1/completions'] }),
      '/v1/embeddings': answerWith({ choices: unexpected, data: this.lists['/v1/embeddings'] }),
    };
  }

  scan(endpoint: Endpoint, body: Uint8Array): ScannedAnswer | null {
    const { json } = this;
    openText(json, body);
    if (!this.pass(endpoint, 0) || !json.ends() || json.passedLineEnd) return null;
    if (json.utf8 && hasSeparator(body)) return null;
    return this.found();
  }

  /** Passes the answer at which the cursor stands, `depth` brackets deep; false for one that is to be left. */
  pass(endpoint: Endpoint, depth: number): boolean {
    this.list = this.lists[endpoint];
    const answer = this.answers[endpoint];
    if (answer === undefined || this.list === undefined) return false;
    return answer.read(this.json, depth) && this.list.finishReasons.length > 0;
  }

  /** What the answer says that was passed. */
  found(): ScannedAnswer {
    return {
      object: this.object.text,
      model: this.model.text,
      serviceTier: this.tier.text,
      usage: this.usage.value(this.json) ?? null,
      finishReasons: this.list?.finishReasons ?? [],
    };
  }
}

/** Whether a character stands in an answer that must be escaped in a line. */
export function hasSeparator(body: Uint8Array): boolean {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return SEPARATORS.some((separator) => bytes.includes(separator));
}
