import { Buffer } from 'node:buffer';
import { ByteWriter } from './byte-writer.ts';
import { escapeLineSeparators } from './jsonl.ts';
import { type LineOutcome, resultText } from './result-text.ts';

/** A result line with its line feed, as bytes. */
export interface ResultRecord {
  record: Uint8Array;
  /** Bytes of it before its `weir` member. */
  strictBytes: number;
}

/** An answer and what is said of it: most lines. */
type Answered = LineOutcome & { response: NonNullable<LineOutcome['response']>; error: null };

/** What the places of a line's values are known by while its form is found. */
const [ID, CUSTOM_ID, REQUEST_ID, BODY, LINE, ATTEMPTS, COST, REASON, INPUT, OUTPUT] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
] as const;
/** Begins a mark: a number with fifteen digits, of which the last one tells the place. */
const MARK = '70707070707070';
const MARKS = new RegExp(`${MARK}(\\d)`);
const PLACES = 10;

/** What lines have in common that differ in these values alone. */
interface Form {
  /** A line of it. */
  like: Answered;
  /** What stands before, between and behind the values; none where a name looks like a mark. */
  pieces: Uint8Array[];
  /** The value that follows each piece but the last. */
  places: number[];
  /** Bytes of all pieces. */
  bytes: number;
  /** Bytes of the strict part behind the answer. */
  ended: number;
}

const writer = new ByteWriter();
/** More than all numbers of a line can have. */
const NUMBERS_BYTES = 160;
/** Longer names are rare. */
const NAMES_LENGTH_MAX = 1024;

/** Lines of one form mostly follow each other. */
let last: Form | null = null;

/**
 * The result line that `resultText` writes, around its answer: JSON in one line. Of one that is there in bytes, and needs no
 * more words than the lines before, only the values are written.
 */
export function resultRecord(outcome: LineOutcome, body: string | Uint8Array): ResultRecord {
  if (typeof body !== 'string' && isAnswered(outcome)) {
    if (last === null || !isLike(outcome, last.like)) last = formOf(outcome);
    const record = filled(last, outcome, body);
    if (record !== null) return record;
  }
  const { head, tail, details } = resultText(outcome);
  const ended = `${details}\n`;
  const record =
    typeof body === 'string'
      ? Buffer.from(head + escapeLineSeparators(body) + tail + ended)
      : Buffer.concat([Buffer.from(head), body, Buffer.from(tail + ended)]);
  return { record, strictBytes: record.length - Buffer.byteLength(ended) };
}

function isAnswered(outcome: LineOutcome): outcome is Answered {
  const { response, error, details } = outcome;
  return response !== null && error === null && details.warnings.length === 0 && details.raw === undefined;
}

function isLike(one: Answered, other: Answered): boolean {
  const { details, response } = one;
  const { details: known, response: answer } = other;
  return (
    one.batchId === other.batchId &&
    details.provider === known.provider &&
    details.model === known.model &&
    details.target === known.target &&
    response.statusCode === answer.statusCode &&
    (response.requestId === null) === (answer.requestId === null) &&
    (details.cost_nano_usd === null) === (known.cost_nano_usd === null) &&
    (details.finish_reason === null) === (known.finish_reason === null)
  );
}

/** The form of a line, as `resultText` writes it. */
function formOf(like: Answered): Form {
  const { response, details } = like;
  const { requestId } = response;
  const { cost_nano_usd: cost, finish_reason: reason } = details;
  const number = (place: number) => Number(`${MARK}${place}`);
  const {
    head,
    tail,
    details: end,
  } = resultText({
    ...like,
    line: number(ID) - 1,
    customId: `${MARK}${CUSTOM_ID}`,
    response: { ...response, requestId: requestId === null ? null : `${MARK}${REQUEST_ID}` },
    details: {
      ...details,
      line: number(LINE),
      attempts: number(ATTEMPTS),
      cost_nano_usd: cost === null ? null : number(COST),
      finish_reason: reason === null ? null : `${MARK}${REASON}`,
      input_tokens: number(INPUT),
      output_tokens: number(OUTPUT),
    },
  });
  // Marks are put between what stands before and behind them.
  const parts = `${head}${MARK}${BODY}${tail}${end}\n`.split(MARKS);
  const places = parts.filter((_, index) => index % 2 === 1).map(Number);
  const pieces = parts.filter((_, index) => index % 2 === 0).map((piece) => Buffer.from(piece));
  const absent = [requestId, cost, reason].filter((value) => value === null).length;
  const isClear = places.length === PLACES - absent;
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  return { like, pieces: isClear ? pieces : [], places, bytes, ended: Buffer.byteLength(tail) };
}

/** The line with its own values; null where it is to be written in full. */
function filled({ pieces, places, bytes, ended }: Form, outcome: Answered, body: Uint8Array): ResultRecord | null {
  const { customId, details } = outcome;
  const requestId = outcome.response.requestId ?? '';
  const reason = details.finish_reason ?? '';
  const names = customId.length + requestId.length + reason.length;
  if (pieces.length === 0 || names > NAMES_LENGTH_MAX) return null;
  writer.begin(0, bytes + names + NUMBERS_BYTES + body.length);
  let strictBytes = 0;
  for (let index = 0; index < places.length; index++) {
    writer.all(pieces[index] as Uint8Array);
    switch (places[index] as number) {
      case ID:
        writer.number(outcome.line + 1);
        break;
      case CUSTOM_ID:
        if (!writer.plain(customId)) return null;
        break;
      case REQUEST_ID:
        if (!writer.plain(requestId)) return null;
        break;
      case BODY:
        writer.all(body);
        strictBytes = writer.length + ended;
        break;
      case LINE:
        writer.number(details.line);
        break;
      case ATTEMPTS:
        writer.number(details.attempts);
        break;
      case COST:
        writer.number(details.cost_nano_usd as number);
        break;
      case REASON:
        if (!writer.plain(reason)) return null;
        break;
      case INPUT:
        writer.number(details.input_tokens);
        break;
      case OUTPUT:
        writer.number(details.output_tokens);
        break;
    }
  }
  writer.all(pieces[places.length] as Uint8Array);
  return { record: writer.end(), strictBytes };
}
