import type { BatchResult, Failed } from '../contract.ts';
import { parseText } from '../shared/answer.ts';
import { withAnswer } from '../shared/failed-answer.ts';
import { badResponse } from '../shared/openai-status.ts';
import type { Embedded } from './embeddings.ts';
import { failedResult, type ResultContext, resultOfEmbeddings } from './results.ts';
import { billedFor, type PieceId, type Row, readRow } from './rows.ts';
import { usageFromEmbeddings } from './usage.ts';

type Piece = Exclude<Row, { piece: null }>;

interface Group {
  rows: Map<number, { raw: string; hasFailed: boolean }>;
  count: number;
}

/**
 * Puts the embeddings of one request together again: each of its texts came back on a line of its own, anywhere in the
 * files. What is held stays below `mostCharacters`; requests that begin when it is full are postponed to another reading
 * of the files.
 */
export class EmbeddingPieces {
  /** Keys that the next reading is for. */
  readonly postponed = new Set<string>();
  readonly #groups = new Map<string, Group>();
  readonly #only: ReadonlySet<string> | null;
  readonly #context: ResultContext;
  readonly #mostCharacters: number;
  #held = 0;

  /** `only` = the keys that the reading before this one postponed; null at the first. */
  constructor(only: ReadonlySet<string> | null, context: ResultContext, mostCharacters: number) {
    this.#only = only;
    this.#context = context;
    this.#mostCharacters = mostCharacters;
  }

  /** Takes a line; answers the whole request when this was the last of its embeddings. */
  add({ piece, embedded, raw }: Piece): BatchResult | null {
    const { key, index, count } = piece;
    const hasFailed = 'ok' in embedded;
    if (this.#only?.has(key) === false || this.postponed.has(key)) return null;
    const group = this.#groups.get(key) ?? this.#begin(key, count);
    const known = group?.rows.get(index);
    // An embedding counts before a failure of the same text, wherever they stand.
    if (group === null || (known !== undefined && !(known.hasFailed && !hasFailed))) return null;
    group.rows.set(index, { raw, hasFailed });
    this.#held += raw.length - (known?.raw.length ?? 0);
    const isWhole = group.rows.size === group.count && group.rows.values().every((row) => !row.hasFailed);
    return isWhole ? this.#finish(key, group) : null;
  }

  /** The requests whose lines did not all come. */
  *rest(): Generator<BatchResult> {
    for (const [key, group] of this.#groups) yield this.#finish(key, group);
  }

  #begin(key: string, count: number): Group | null {
    if (this.#held > this.#mostCharacters) {
      this.postponed.add(key);
      return null;
    }
    const group: Group = { rows: new Map(), count };
    this.#groups.set(key, group);
    return group;
  }

  #finish(key: string, group: Group): BatchResult {
    return { ...this.#join(key, group), records: group.rows.size };
  }

  #join(key: string, group: Group): BatchResult {
    this.#groups.delete(key);
    const rows = [...group.rows].sort(([left], [right]) => left - right).map(([, { raw }]) => raw);
    for (const row of rows) this.#held -= row.length;
    // One line, as every answer is: a list of those of its texts.
    const raw = group.count === 1 ? (rows[0] ?? '') : `[${rows.join(',')}]`;
    const embedded: Embedded[] = [];
    const failed: Failed[] = [];
    let asked: PieceId | null = null;
    for (const line of rows) {
      const row = readRow(parseText(line), 'embedding', this.#context);
      if (row.piece === null) return row.result;
      if ('ok' in row.embedded) failed.push(row.embedded);
      else embedded.push(row.embedded);
      asked = row.piece;
    }
    if (failed[0] !== undefined) {
      const billed = failed.flatMap(({ usage }) => usage?.input_tokens ?? []);
      const tokens = [...billed, ...embedded.map((each) => each.tokens)];
      return { key, result: withAnswer(failed[0], tokens.length === 0 ? null : billedFor(tokens)), raw };
    }
    if (asked === null || embedded.length < group.count) {
      const message = `${this.#context.provider} answered ${embedded.length} of ${group.count} embeddings.`;
      const reading = usageFromEmbeddings(embedded.map(({ tokens }) => tokens));
      return { key, result: failedResult(badResponse(200, message, 'damaged_row'), this.#context, reading), raw };
    }
    return { key, result: resultOfEmbeddings(embedded, asked, this.#context), raw };
  }
}
