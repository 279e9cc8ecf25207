import { AnswerScanner, hasSeparator } from '../../src/core/answer-scan.ts';
import { asciiBytes, JsonCursor } from '../../src/core/json-cursor.ts';
import { Members, type Picked, pick, Span } from '../../src/core/json-pick.ts';
import { KnownBytes } from '../../src/core/text-run.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { BatchResult } from '../contract.ts';
import { readId } from './answer.ts';
import { LineInBytes } from './answer-in-bytes.ts';
import { forwarded } from './openai-forwarded.ts';
import { isGivenUp, type ResultReaders } from './openai-results.ts';

const STATUS_OK = 200;
const statusOk = new KnownBytes(asciiBytes(String(STATUS_OK)));

/** The answer in a line: it stands there as it can go on. */
class Answer implements Picked {
  endpoint: Endpoint = '/v1/chat/completions';
  from = 0;
  to = 0;
  readonly scanner: AnswerScanner;

  constructor(json: JsonCursor) {
    this.scanner = new AnswerScanner(json);
  }

  clear(): void {
    this.to = 0;
  }

  read(json: JsonCursor, depth: number): boolean {
    json.next();
    this.from = json.place;
    if (!this.scanner.pass(this.endpoint, depth)) return false;
    this.to = json.place;
    return true;
  }
}

const json = new JsonCursor();
const id = new Span();
const customId = new Span();
const error = new Span();
const status = new Span();
const requestId = new Span();
const answer = new Answer(json);
const response = new Members({ status_code: status, request_id: requestId, body: answer });
const line = new Members({ id, custom_id: customId, response, error });

/**
 * The success that a line of an output file holds whose answer can be passed on as it stands there, in bytes that are its
 * own from now on; null for any other line, which `resultOfLine` reads.
 */
export function forwardedLine(bytes: Uint8Array, endpoint: Endpoint, readers: ResultReaders): BatchResult | null {
  answer.endpoint = endpoint;
  if (!pick(json, bytes, line) || answer.to === 0 || !error.isEmpty) return null;
  const key = customId.word(json);
  if (key === null || key === '' || !json.stands(statusOk, status.from, status.to)) return null;
  if (json.passedLineEnd || (json.utf8 && hasSeparator(bytes))) return null;
  const scanned = answer.scanner.found();
  if (scanned.finishReasons.some(isGivenUp)) return null;
  const found = {
    status: STATUS_OK,
    requestId: readId(requestId.word(json)) ?? readId(id.word(json)),
    // Places are those of the buffer in which the text stands.
    bytes: bytes.subarray(answer.from - json.start, answer.to - json.start),
  };
  return new LineInBytes(key, forwarded(endpoint, found, scanned, readers), bytes);
}
