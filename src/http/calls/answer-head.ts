import { STATUS_CODES } from 'node:http';
import { isHeaderValue } from '../../core/header-text.ts';
import { FIXED_HEADERS } from './exchange.ts';

/** For half a message, as node:http's. */
export const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n';

/** The date of now as headers have it, made anew each second. */
const date = { second: 0, line: '' };

/** The last line of each header: most say the same in every answer. */
const lines = new Map<string, { value: string; line: string }>();
/** Names are those of the code, so they are few; the bound is for what is not foreseen. */
const LINES_MAX = 100;

const FIXED = linesOf(FIXED_HEADERS);

/**
 * The head of an answer as node:http writes it, with the empty line that ends it, in Latin-1. `headers` are names and values
 * in turn, beside the fixed ones. `keepAliveSeconds`: null where the connection ends with the answer; `now`: Unix
 * milliseconds. Throws where a value has a character that could begin a header of its own.
 */
export function answerHead(
  status: number,
  headers: readonly string[],
  { keepAliveSeconds, isChunked, now }: { keepAliveSeconds: number | null; isChunked: boolean; now: number },
): string {
  const second = Math.floor(now / 1000);
  if (date.second !== second) {
    date.second = second;
    date.line = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  const connection = keepAliveSeconds === null ? 'close' : `keep-alive\r\nKeep-Alive: timeout=${keepAliveSeconds}`;
  const reason = STATUS_CODES[status] ?? 'unknown';
  const chunked = isChunked ? 'Transfer-Encoding: chunked\r\n' : '';
  return `HTTP/1.1 ${status} ${reason}\r\n${FIXED}${linesOf(headers)}${date.line}Connection: ${connection}\r\n${chunked}\r\n`;
}

function linesOf(headers: readonly string[]): string {
  let text = '';
  for (let at = 0; at + 1 < headers.length; at += 2) text += lineOf(headers[at] as string, headers[at + 1] as string);
  return text;
}

function lineOf(name: string, value: string): string {
  const last = lines.get(name);
  if (last !== undefined && last.value === value) return last.line;
  if (!isHeaderValue(value)) throw new Error(`the header ${name} has a character that cannot be sent`);
  const line = `${name}: ${value}\r\n`;
  if (last !== undefined) {
    last.value = value;
    last.line = line;
  } else if (lines.size < LINES_MAX) lines.set(name, { value, line });
  return line;
}
