import { addUsage } from '../../src/core/usage.ts';
import type { Result } from '../contract.ts';
import { withAnswer } from '../shared/failed-answer.ts';
import { badResponse } from '../shared/openai-status.ts';

/** How OpenAI's clients want vectors: lists of numbers, or 32-bit floats as base64 text. */
export type Encoding = 'float' | 'base64';

/**
 * An embeddings request: a model takes a number of texts at once (Titan one), so one request may be several calls or
 * records. It is the body of a NativeRequest as JSON; the encoding is ours to do.
 */
export interface EmbeddingWork {
  inputs: object[];
  encoding: Encoding;
}

/** Which part of a request a record answers, as its `recordId` says. */
export interface Piece {
  key: string;
  index: number;
  count: number;
  encoding: Encoding;
}

/** `<key>` for a request of one record with plain numbers, else `<key>.<index>-<count><f or b>`. */
export function recordIdOf({ key, index, count, encoding }: Piece): string {
  if (count === 1 && encoding === 'float') return key;
  return `${key}.${index}-${count}${encoding === 'float' ? 'f' : 'b'}`;
}

/** Reads a `recordId` back; null for one that names a whole request. */
export function pieceOf(recordId: string): Piece | null {
  const [, key = '', index, count, code] = /^([^.]*)\.(\d{1,9})-(\d{1,9})([fb])$/.exec(recordId) ?? [];
  if (index === undefined || Number(index) >= Number(count)) return null;
  return { key, index: Number(index), count: Number(count), encoding: code === 'f' ? 'float' : 'base64' };
}

interface EmbeddingList {
  object: 'list';
  data: { object: 'embedding'; index: number; embedding: number[] | string }[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
}

/** The results of a request's parts, in order, as one: all vectors and all tokens, or the first failure with what was billed. */
export function joinEmbeddings(parts: readonly Result[], encoding: Encoding): Result {
  const usages = parts.map(({ usage }) => usage);
  const usage = usages.includes(null) ? null : usages.reduce((sum, part) => addUsage(sum ?? {}, part ?? {}), {});
  const [first] = parts;
  const failed = parts.find((part) => !part.ok);
  if (failed !== undefined) {
    const isAnswered = parts.some((part) => part.ok);
    return withAnswer(failed, { ok: isAnswered, usage: billedOf(parts), rawUsage: failed.rawUsage });
  }
  if (first?.ok !== true) throw new Error('a request has at least one part');
  if (parts.length === 1 && encoding === 'float') return first;
  const lists = parts.map((part) => JSON.parse(part.body ?? '') as EmbeddingList);
  const tokens = lists.reduce((sum, list) => sum + list.usage.prompt_tokens, 0);
  const data = lists
    .flatMap((list) => list.data)
    .map(({ embedding }, index) => ({ object: 'embedding', index, embedding: encoded(embedding, encoding) }));
  const list = { ...lists[0], data, usage: { prompt_tokens: tokens, total_tokens: tokens } };
  const rawUsage = parts.length === 1 ? first.rawUsage : { parts: parts.map((part) => part.rawUsage) };
  const warnings = new Set(parts.flatMap((part) => (part.ok ? part.warnings : [])));
  return { ...first, body: JSON.stringify(list), usage, rawUsage, warnings: [...warnings] };
}

/** What the parts that reported anything used; null when none did. */
function billedOf(parts: readonly Result[]): Result['usage'] {
  return parts.reduce<Result['usage']>((sum, { usage }) => (usage === null ? sum : addUsage(sum ?? {}, usage)), null);
}

/** Little-endian 32-bit floats, as OpenAI encodes them. */
function encoded(embedding: number[] | string, encoding: Encoding): number[] | string {
  if (encoding === 'float' || typeof embedding === 'string') return embedding;
  const view = new DataView(new ArrayBuffer(embedding.length * 4));
  for (const [index, value] of embedding.entries()) view.setFloat32(index * 4, value, true);
  return btoa(Array.from(new Uint8Array(view.buffer), (byte) => String.fromCharCode(byte)).join(''));
}

interface Group {
  piece: Piece;
  parts: Map<number, { result: Result; raw: string }>;
}

/** A request whose parts have been put together. */
interface Joined {
  key: string;
  result: Result;
  raw: string;
  records: number;
}

/**
 * Puts the parts of requests together, which may stand anywhere in the output. What is held stays about `mostCharacters`:
 * requests that begin when it is full are postponed to another reading of the output.
 */
export class PieceJoiner {
  /** Keys that the next reading is for. */
  readonly postponed = new Set<string>();
  readonly #groups = new Map<string, Group>();
  readonly #done = new Set<string>();
  readonly #only: ReadonlySet<string> | null;
  readonly #mostCharacters: number;
  #held = 0;

  /** `only` = the keys that the reading before postponed; null at the first. */
  constructor(only: ReadonlySet<string> | null, mostCharacters: number) {
    this.#only = only;
    this.#mostCharacters = mostCharacters;
  }

  /** Takes a part; answers the whole request when this was the last of its answers. */
  add(piece: Piece, result: Result, raw: string): Joined | null {
    const { key } = piece;
    if (this.#only?.has(key) === false || this.postponed.has(key) || this.#done.has(key)) return null;
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#held > this.#mostCharacters && this.#groups.size > 0) {
        this.postponed.add(key);
        return null;
      }
      group = { piece, parts: new Map() };
      this.#groups.set(key, group);
    }
    const known = group.parts.get(piece.index);
    // An answer counts before a failure of the same part, wherever they stand.
    if (known !== undefined && (known.result.ok || !result.ok)) return null;
    group.parts.set(piece.index, { result, raw });
    this.#held += sizeOf(result, raw) - (known === undefined ? 0 : sizeOf(known.result, known.raw));
    const isWhole = group.parts.size === group.piece.count && group.parts.values().every((part) => part.result.ok);
    return isWhole ? this.#close(group) : null;
  }

  /** The requests of which a part failed or never came: failures that tell what the others used. */
  *rest(): Iterable<Joined> {
    for (const group of [...this.#groups.values()]) {
      const { result, ...joined } = this.#close(group);
      if (!result.ok) yield { ...joined, result };
      else {
        const message = `The output holds ${group.parts.size} of the ${group.piece.count} embeddings of this request.`;
        const failure = badResponse(200, message, 'incomplete_embeddings');
        const { requestId, usage, rawUsage } = result;
        yield { ...joined, result: { ok: false, failure, requestId, body: null, usage, rawUsage } };
      }
    }
  }

  #close({ piece, parts }: Group): Joined {
    this.#groups.delete(piece.key);
    this.#done.add(piece.key);
    const inOrder = [...parts].toSorted(([left], [right]) => left - right).map(([, part]) => part);
    for (const { result, raw } of inOrder) this.#held -= sizeOf(result, raw);
    const raw = inOrder.length === 1 ? (inOrder[0]?.raw ?? '') : `[${inOrder.map((part) => part.raw).join(',')}]`;
    const results = inOrder.map((part) => part.result);
    return { key: piece.key, result: joinEmbeddings(results, piece.encoding), raw, records: parts.size };
  }
}

function sizeOf(result: Result, raw: string): number {
  return raw.length + (result.body?.length ?? 0);
}
