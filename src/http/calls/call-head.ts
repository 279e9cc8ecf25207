import type { Buffer } from 'node:buffer';
import { isToken } from '../../core/header-text.ts';
import { asciiBytes } from '../../core/json-cursor.ts';
import { ENDPOINTS, type Endpoint } from '../../protocol/endpoint.ts';
import { OWN_PREFIX } from '../own-headers.ts';
import { CALL_HEADERS } from './exchange.ts';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const ZERO = 0x30;
const COLON = 0x3a;

const LENGTH_DIGITS_MAX = 9;

/** A head with more bytes is node:http's to judge; in fewer there are fewer headers than it counts. */
const HEAD_BYTES_MAX = 8_000;

/** What may stand in a header's name: each byte as a small letter, 0 where it may not. */
const NAME = Uint8Array.from({ length: 256 }, (_, byte) => {
  const letter = String.fromCharCode(byte);
  return isToken(letter) ? letter.toLowerCase().charCodeAt(0) : 0;
});
/** What may stand in a header's value here: 1. Other bytes are rare, and node:http's to judge. */
const VALUE = Uint8Array.from({ length: 256 }, (_, byte) => (byte === TAB || (byte >= SPACE && byte < 0x7f) ? 1 : 0));

/** Headers by which a message may be framed otherwise than by its Content-Length, or a connection become another one. */
const REFUSED = ['expect', 'http2-settings', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];
const FRAMING = ['host', 'content-length', 'connection'];
/** Those that count here: each may stand in a head once. */
const COUNTED = [...REFUSED, ...FRAMING, ...CALL_HEADERS];
const PLACES = new Map(COUNTED.map((name, index) => [name, index]));
const HOST = placeOf('host');
const CONTENT_LENGTH = placeOf('content-length');
const CONNECTION = placeOf('connection');

/** By the length of a name, which of those it may be. */
const BY_LENGTH = Array.from({ length: Math.max(...COUNTED.map((name) => name.length)) + 1 }, (_, length) =>
  COUNTED.filter((name) => name.length === length).map((name) => ({ name: asciiBytes(name), place: placeOf(name) })),
);

const OWN_START = asciiBytes(OWN_PREFIX);

const STARTS = ENDPOINTS.map((endpoint) => ({ endpoint, line: asciiBytes(`POST ${endpoint} HTTP/1.1\r\n`) }));

/**
 * Reads the heads of calls, as most clients send them: HTTP/1.1, a POST to one of the endpoints, a body of a stated length,
 * a connection that stays. It takes only what can be read in one way (RFC 9112), and what node:http would read alike;
 * whatever else there is, it refuses to read.
 */
export class CallHead {
  endpoint: Endpoint = '/v1/chat/completions';
  /** Where the body begins, and how many bytes it has. */
  bodyFrom = 0;
  bodyBytes = 0;
  private bytes: Buffer | null = null;
  /** From where and to where the values stand of the headers that count; -1 of those that do not stand there. */
  private readonly from = new Int32Array(COUNTED.length);
  private readonly to = new Int32Array(COUNTED.length);

  /**
   * Whether the first `end` of `bytes` begin with the whole head of such a call; `header` may be asked after it as long as
   * they stay, and until the next one is read.
   */
  read(bytes: Buffer, end: number): boolean {
    const start = STARTS.find(({ line }) => startsWith(bytes, end, line));
    if (start === undefined) return false;
    this.bytes = bytes;
    this.from.fill(-1);
    if (!this.readHeaders(bytes, start.line.length, end) || !this.isFramedByLength(bytes)) return false;
    this.endpoint = start.endpoint;
    return true;
  }

  /** The value of one of CALL_HEADERS. */
  readonly header = (name: string): string | undefined => {
    const place = placeOf(name);
    const from = this.from[place] as number;
    return from < 0 ? undefined : this.bytes?.toString('latin1', from, this.to[place]);
  };

  /** What it holds of the last head is not needed any more. */
  forget(): void {
    this.bytes = null;
  }

  private readHeaders(bytes: Buffer, from: number, to: number): boolean {
    const end = Math.min(to, HEAD_BYTES_MAX) - 1;
    let at = from;
    while (at < end) {
      if (bytes[at] === CR) {
        this.bodyFrom = at + 2;
        return bytes[at + 1] === LF;
      }
      const nameFrom = at;
      while (at < end && NAME[bytes[at] as number] !== 0) at += 1;
      if (at === nameFrom || bytes[at] !== COLON) return false;
      const nameTo = at++;
      while (at < end && isBlank(bytes[at])) at += 1;
      const valueFrom = at;
      while (at < end && VALUE[bytes[at] as number] === 1) at += 1;
      if (at >= end || bytes[at] !== CR || bytes[at + 1] !== LF) return false;
      let valueTo = at;
      while (valueTo > valueFrom && isBlank(bytes[valueTo - 1])) valueTo -= 1;
      if (!this.note(bytes, { nameFrom, nameTo, valueFrom, valueTo })) return false;
      at += 2;
    }
    return false;
  }

  /** False for a header that is refused, stands there twice, or looks like one of Weir's own and does not count here. */
  private note(
    bytes: Buffer,
    { nameFrom, nameTo, valueFrom, valueTo }: { nameFrom: number; nameTo: number; valueFrom: number; valueTo: number },
  ): boolean {
    for (const { name, place } of BY_LENGTH[nameTo - nameFrom] ?? []) {
      if (!isNamed(bytes, nameFrom, name)) continue;
      if (place < REFUSED.length || this.from[place] !== -1) return false;
      this.from[place] = valueFrom;
      this.to[place] = valueTo;
      return true;
    }
    return nameTo - nameFrom < OWN_START.length || !isNamed(bytes, nameFrom, OWN_START);
  }

  private isFramedByLength(bytes: Buffer): boolean {
    const { from, to } = this;
    const digits = (to[CONTENT_LENGTH] as number) - (from[CONTENT_LENGTH] as number);
    if (from[HOST] === -1 || from[CONTENT_LENGTH] === -1 || digits > LENGTH_DIGITS_MAX) return false;
    const isKept = from[CONNECTION] === -1 || this.header('connection')?.toLowerCase() === 'keep-alive';
    let length = 0;
    for (let at = from[CONTENT_LENGTH] as number; at < (to[CONTENT_LENGTH] as number); at++) {
      const digit = (bytes[at] as number) - ZERO;
      if (digit < 0 || digit > 9) return false;
      length = 10 * length + digit;
    }
    this.bodyBytes = length;
    return isKept && length > 0;
  }
}

function placeOf(name: string): number {
  const place = PLACES.get(name);
  if (place === undefined) throw new Error(`the header ${name} is none that counts`);
  return place;
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

/** `name`: in small letters. */
function isNamed(bytes: Buffer, from: number, name: Uint8Array): boolean {
  for (let index = 0; index < name.length; index++) {
    if (NAME[bytes[from + index] as number] !== name[index]) return false;
  }
  return true;
}

function startsWith(bytes: Uint8Array, end: number, start: Uint8Array): boolean {
  if (end < start.length) return false;
  for (let index = 0; index < start.length; index++) if (bytes[index] !== start[index]) return false;
  return true;
}
