import { isToken } from '../../../src/core/header-text.ts';
import { remembered } from '../remembered.ts';

/** What breaks HTTP/1.1 in an answer, in words. */
export class MalformedAnswer extends Error {}

/** The head of an answer. */
export interface AnswerHead {
  status: number;
  /** Lower-case names; the values of one name are joined by commas. */
  headers: Record<string, string>;
  /** Bytes of its body; or CHUNKED, or UNTIL_CLOSE. */
  length: number;
  /** How long its connection may be kept idle for another request, in milliseconds; 0: not at all. */
  keepAliveMs: number;
}

export const CHUNKED = -1;
export const UNTIL_CLOSE = -2;

/** Servers that say nothing mostly end an idle connection after five seconds. */
const KEEP_ALIVE_MS = 4_000;
const KEEP_ALIVE_MAX_MS = 600_000;
/** What a server says is for its end of the line. */
const KEEP_ALIVE_MARGIN_MS = 2_000;

const VERSION = 'HTTP/1.';
/** Where the minor version, the status and the space behind it stand in a status line. */
const MINOR_AT = VERSION.length;
const STATUS_AT = MINOR_AT + 2;
const STATUS_END = STATUS_AT + 3;
/** Neither CR nor LF stands alone: servers in front of one another disagree about where such a line ends. */
const UNLAWFUL = /\r(?!\n)|(?<!\r)\n|\0/;
const LENGTH_DIGITS_MAX = 15;
const SPACE = 0x20;
const ZERO = 0x30;
const ONE = 0x31;

/** Names as they come, checked and in lower case: servers send the same few again and again. */
const nameOf = remembered((text: string): string => {
  if (!isToken(text)) throw new MalformedAnswer('a header with a name that is none');
  return text.toLowerCase();
});

/** The names of the last head, as it had them: answers of one server mostly have the same in the same order. */
const names: { text: string; name: string }[] = [];
const NAMES_MAX = 32;

/** The name that stands from `from` to `to`, which mostly is that of the last head at the same place. */
function nameAt(place: number, text: string, from: number, to: number): string {
  const last = names[place];
  if (last !== undefined && last.text.length === to - from && text.startsWith(last.text, from)) return last.name;
  const written = text.slice(from, to);
  const name = nameOf(written);
  if (place < NAMES_MAX) names[place] = { text: written, name };
  return name;
}

/**
 * Reads the head of an answer, without the empty line that ends it (RFC 9112, sections 4, 5 and 6.3). Throws MalformedAnswer,
 * also where a head can be understood in two ways: with two lengths, or with a length and chunks.
 */
export function parseHead(text: string): AnswerHead {
  const status = statusOf(text);
  if (status === null || UNLAWFUL.test(text)) throw new MalformedAnswer('not HTTP/1.1');
  const headers: Record<string, string> = {};
  let place = 0;
  let at = text.indexOf('\r\n');
  while (at >= 0) {
    const from = at + 2;
    at = text.indexOf('\r\n', from);
    const to = at < 0 ? text.length : at;
    const colon = text.indexOf(':', from);
    if (colon < 0 || colon >= to) throw new MalformedAnswer('a header without a colon');
    const name = nameAt(place++, text, from, colon);
    const before = headers[name];
    const value = trimmed(text, colon + 1, to);
    headers[name] = typeof before === 'string' ? `${before}, ${value}` : value;
  }
  const length = lengthOf(status, headers);
  const isPersistent = text.charCodeAt(MINOR_AT) === ONE;
  return { status, headers, length, keepAliveMs: length === UNTIL_CLOSE ? 0 : keepAliveOf(isPersistent, headers) };
}

/** The status of an answer in HTTP/1.0 or 1.1; null where the text does not begin like one. */
function statusOf(text: string): number | null {
  const minor = text.charCodeAt(MINOR_AT);
  if (!text.startsWith(VERSION) || (minor !== ZERO && minor !== ONE)) return null;
  if (text.charCodeAt(MINOR_AT + 1) !== SPACE) return null;
  if (text.length !== STATUS_END && text.charCodeAt(STATUS_END) !== SPACE) return null;
  const status = digitsAt(text, STATUS_AT, STATUS_END);
  return status < 100 ? null : status;
}

/** The number that a text's digits make; -1 where there is another character, or none. */
function digitsAt(text: string, from: number, to: number): number {
  let number = from < to && to <= text.length ? 0 : -1;
  for (let at = from; at < to && number >= 0; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    number = digit >= 0 && digit <= 9 ? 10 * number + digit : -1;
  }
  return number;
}

function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function lengthOf(status: number, headers: Record<string, string>): number {
  // They have no body, whatever they say.
  if (status < 200 || status === 204 || status === 304) return 0;
  const transfer = headers['transfer-encoding']?.toLowerCase();
  const length = headers['content-length'];
  if (transfer !== undefined && transfer !== 'identity') {
    if (length !== undefined) throw new MalformedAnswer('a length and chunks');
    if (transfer !== 'chunked') throw new MalformedAnswer('a transfer encoding that nobody asked for');
    return CHUNKED;
  }
  if (length === undefined) return UNTIL_CLOSE;
  const bytes = length.length > LENGTH_DIGITS_MAX ? -1 : digitsAt(length, 0, length.length);
  if (bytes < 0) throw new MalformedAnswer('a length that is none');
  return bytes;
}

function keepAliveOf(isPersistent: boolean, headers: Record<string, string>): number {
  const connection = headers.connection?.toLowerCase();
  if (connection !== undefined && connection !== 'keep-alive') {
    if (/(?:^|,)\s*close\s*(?:,|$)/.test(connection)) return 0;
  }
  if (!isPersistent && !(connection ?? '').includes('keep-alive')) return 0;
  const hint = headers['keep-alive'];
  const seconds = hint === undefined ? null : /(?:^|[\s,;])timeout="?(\d{1,9})/i.exec(hint);
  if (!seconds) return KEEP_ALIVE_MS;
  return Math.max(0, Math.min(KEEP_ALIVE_MAX_MS, Number(seconds[1]) * 1000 - KEEP_ALIVE_MARGIN_MS));
}
