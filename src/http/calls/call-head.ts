import type { Buffer } from 'node:buffer';
import { ENDPOINTS, type Endpoint } from '../../protocol/endpoint.ts';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;

/** A head with more bytes, or more headers, is node:http's to judge. */
const HEAD_BYTES_MAX = 8_192;
const HEADERS_MAX = 64;

/** What may stand in a header's name: each byte as a small letter, 0 where it may not. */
const NAME = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte))
    ? String.fromCharCode(byte).toLowerCase().charCodeAt(0)
    : 0,
);
/** What may stand in a header's value here: 1. Other bytes are rare, and node:http's to judge. */
const VALUE = Uint8Array.from({ length: 256 }, (_, byte) => (byte === TAB || (byte >= SPACE && byte < 0x7f) ? 1 : 0));

/** Headers by which a message may be framed otherwise than by its Content-Length, or a connection become another one. */
const FRAMING = ['expect', 'http2-settings', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

const STARTS = ENDPOINTS.map((endpoint) => ({ endpoint, line: latin1(`POST ${endpoint} HTTP/1.1\r\n`) }));

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
  private count = 0;
  /** Four places for each header: its name's and its value's, from and to. */
  private readonly places = new Int32Array(4 * HEADERS_MAX);
  /** A header that was asked for stands there twice. */
  private isAmbiguous = false;

  /** Whether `bytes` begin with the whole head of such a call; `header` may be asked after it until the next one is read. */
  read(bytes: Buffer): boolean {
    const start = STARTS.find(({ line }) => startsWith(bytes, line));
    if (start === undefined) return false;
    this.bytes = bytes;
    this.count = 0;
    this.isAmbiguous = false;
    if (!this.readHeaders(bytes, start.line.length) || !this.isFramedByLength()) return false;
    this.endpoint = start.endpoint;
    return true;
  }

  /** The value of a header, by its name in small letters. */
  readonly header = (name: string): string | undefined => {
    const { bytes, places } = this;
    let value: string | undefined;
    if (bytes === null) return undefined;
    for (let at = 0; at < 4 * this.count; at += 4) {
      const from = places[at] as number;
      if ((places[at + 1] as number) - from !== name.length || !isNamed(bytes, from, name)) continue;
      if (value !== undefined) this.isAmbiguous = true;
      value = bytes.toString('latin1', places[at + 2], places[at + 3]);
    }
    return value;
  };

  /** Whether each header that was asked for since `read` stands there once at most. */
  get isPlain(): boolean {
    return !this.isAmbiguous;
  }

  /** What it holds of the last head is not needed any more. */
  forget(): void {
    this.bytes = null;
  }

  private readHeaders(bytes: Buffer, from: number): boolean {
    const end = Math.min(bytes.length, HEAD_BYTES_MAX) - 1;
    const { places } = this;
    let at = from;
    for (let index = 0; index < places.length; index += 4) {
      if (at >= end) return false;
      if (bytes[at] === CR) {
        this.count = index / 4;
        this.bodyFrom = at + 2;
        return bytes[at + 1] === LF;
      }
      places[index] = at;
      while (at < end && NAME[bytes[at] as number] !== 0) at += 1;
      if (at === places[index] || bytes[at] !== COLON) return false;
      places[index + 1] = at;
      at += 1;
      while (at < end && isBlank(bytes[at])) at += 1;
      places[index + 2] = at;
      while (at < end && VALUE[bytes[at] as number] === 1) at += 1;
      if (at >= end || bytes[at] !== CR || bytes[at + 1] !== LF) return false;
      let to = at;
      while (to > (places[index + 2] as number) && isBlank(bytes[to - 1])) to -= 1;
      places[index + 3] = to;
      at += 2;
    }
    return false;
  }

  private isFramedByLength(): boolean {
    if (FRAMING.some((name) => this.header(name) !== undefined)) return false;
    const length = this.header('content-length');
    const connection = this.header('connection');
    if (length === undefined || !/^[0-9]{1,9}$/.test(length)) return false;
    if (connection !== undefined && connection.toLowerCase() !== 'keep-alive') return false;
    this.bodyBytes = Number(length);
    return this.bodyBytes > 0 && this.header('host') !== undefined && this.isPlain;
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

function isNamed(bytes: Buffer, from: number, name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    if (NAME[bytes[from + index] as number] !== name.charCodeAt(index)) return false;
  }
  return true;
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  if (bytes.length < start.length) return false;
  for (let index = 0; index < start.length; index++) if (bytes[index] !== start[index]) return false;
  return true;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
