import { STATUS_CODES } from 'node:http';
import { isHeaderValue } from '../../core/header-text.ts';
import { FIXED_HEADERS } from './exchange.ts';

/** For half a message, as node:http's. */
export const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n';

const FIXED = linesOf(FIXED_HEADERS);

/** The date of now as headers have it, made anew each second. */
const date = { second: 0, line: '' };

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
  let lines = '';
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const value = headers[at + 1] as string;
    if (!isHeaderValue(value)) throw new Error(`the header ${headers[at]} has a character that cannot be sent`);
    lines += `${headers[at]}: ${value}\r\n`;
  }
  return lines;
}
