import { Buffer } from 'node:buffer';
import { CHUNKED, MalformedAnswer, parseHead, UNTIL_CLOSE } from './answer-head.ts';

/** Where an answer goes as it comes in. */
export interface AnswerSink {
  /** `length`: bytes of the body, null when only its end will tell. */
  begin(status: number, headers: Record<string, string>, length: number | null): void;
  /** A piece of the body, to be kept. */
  add(piece: Uint8Array): void;
}

/** The head of an answer is too large. */
export class HeadTooLarge extends Error {}

/** Bytes of a head, of the trailers, or of the line before a chunk; as much as Node.js takes. */
const MAX_HEAD_BYTES = 16_384;
const HEAD_END = Buffer.from('\r\n\r\n');
const BEGINNING = Buffer.from('HTTP/1.');
const LF = 0x0a;
const CHUNK_LINE = /^([0-9a-f]{1,12})[ \t]*(?:;[^\0\r]*)?\r$/i;

/**
 * What comes next of an answer:
 *
 *   head ──► length ─────────────────────────────► done
 *    ▲ │ ──► until close ────────────────────────► done (the other side has ended)
 *    1xx ──► chunk line ──► chunk ──► after chunk
 *               ▲  │                      │
 *               └──┼──────────────────────┘
 *                  └──► trailers ────────────────► done
 */
type Phase = 'head' | 'length' | 'until close' | 'chunk line' | 'chunk' | 'after chunk' | 'trailers' | 'done';

/**
 * Reads the answers of one connection, one after the other, from pieces of any size (RFC 9112). What it is given is memory
 * that is used again: what goes to the sink is a copy.
 */
export class AnswerReader {
  #phase: Phase = 'done';
  #sink: AnswerSink | null = null;
  /** The beginning of a head or line that is not whole yet. */
  #held: Buffer | null = null;
  /** Bytes that are still to come of the body or chunk; of the trailers, those that may. */
  #left = 0;
  #keepAliveMs = 0;

  /** How long the connection may be idle before the next answer is asked for, in milliseconds; 0: it must be ended. */
  get keepAliveMs(): number {
    return this.#phase === 'done' ? this.#keepAliveMs : 0;
  }

  /** The next answer goes to `sink`. */
  expect(sink: AnswerSink): void {
    this.#phase = 'head';
    this.#sink = sink;
    this.#keepAliveMs = 0;
  }

  /** What is still to come is nobody's. */
  stop(): void {
    this.#phase = 'done';
    this.#sink = null;
    this.#held = null;
    this.#keepAliveMs = 0;
  }

  /** Takes the first `end` bytes of `bytes`; true when the answer is whole by them. Throws MalformedAnswer and HeadTooLarge. */
  take(bytes: Buffer, end: number): boolean {
    let at = 0;
    while (at < end && this.#phase !== 'done') {
      if (this.#phase === 'head') at = this.#takeHead(bytes, at, end);
      else if (this.#phase === 'length' || this.#phase === 'chunk') at = this.#takeCounted(bytes, at, end);
      else if (this.#phase === 'until close') at = this.#give(bytes, at, end);
      else at = this.#takeLine(bytes, at, end);
    }
    // Nobody asked for more: what is it the answer to?
    if (at < end) this.#keepAliveMs = 0;
    return this.#phase === 'done';
  }

  /** The other side has ended: true when the answer is whole by that. */
  finish(): boolean {
    if (this.#phase !== 'until close') return false;
    this.#end();
    return true;
  }

  #takeHead(bytes: Buffer, at: number, end: number): number {
    const held = this.#held;
    const all = held === null ? bytes.subarray(at, end) : Buffer.concat([held, bytes.subarray(at, end)]);
    const length = all.indexOf(HEAD_END);
    if (length > MAX_HEAD_BYTES || (length < 0 && all.length > MAX_HEAD_BYTES)) throw new HeadTooLarge();
    if (length < 0) {
      const known = Math.min(all.length, BEGINNING.length);
      if (all.compare(BEGINNING, 0, known, 0, known) !== 0) throw new MalformedAnswer('not HTTP/1.1');
      this.#held = held === null ? Buffer.from(all) : all;
      return end;
    }
    this.#held = null;
    this.#begin(all.toString('latin1', 0, length));
    return at + length + HEAD_END.length - (held?.length ?? 0);
  }

  #begin(text: string): void {
    const { status, headers, length, keepAliveMs } = parseHead(text);
    if (status === 101) throw new MalformedAnswer('another protocol that nobody asked for');
    // Interim answers (100, 103) precede the real one, asked for or not.
    if (status < 200) return;
    this.#keepAliveMs = keepAliveMs;
    this.#left = length;
    if (length === CHUNKED) this.#phase = 'chunk line';
    else this.#phase = length === UNTIL_CLOSE ? 'until close' : 'length';
    this.#sink?.begin(status, headers, length < 0 ? null : length);
    if (length === 0) this.#end();
  }

  #takeCounted(bytes: Buffer, at: number, end: number): number {
    const to = Math.min(end, at + this.#left);
    this.#left -= to - at;
    this.#give(bytes, at, to);
    if (this.#left > 0) return to;
    if (this.#phase === 'chunk') this.#phase = 'after chunk';
    else if (this.#phase === 'length') this.#end();
    return to;
  }

  #give(bytes: Buffer, at: number, to: number): number {
    const piece = Buffer.allocUnsafe(to - at);
    bytes.copy(piece, 0, at, to);
    this.#sink?.add(piece);
    return to;
  }

  /** The lines around chunks are few and short. */
  #takeLine(bytes: Buffer, at: number, end: number): number {
    const found = bytes.subarray(at, end).indexOf(LF);
    const to = found < 0 ? end : at + found;
    const part = bytes.subarray(at, to);
    const line = this.#held === null ? Buffer.from(part) : Buffer.concat([this.#held, part]);
    if (line.length > MAX_HEAD_BYTES) throw new HeadTooLarge();
    this.#held = found < 0 ? line : null;
    if (found < 0) return end;
    this.#takeWholeLine(line.toString('latin1'));
    return to + 1;
  }

  /** `line`: with its CR, without its LF. */
  #takeWholeLine(line: string): void {
    if (this.#phase === 'chunk line') {
      const size = CHUNK_LINE.exec(line)?.[1];
      if (size === undefined) throw new MalformedAnswer('a chunk without a size');
      this.#left = Number.parseInt(size, 16);
      this.#phase = this.#left === 0 ? 'trailers' : 'chunk';
      if (this.#left === 0) this.#left = MAX_HEAD_BYTES;
    } else if (this.#phase === 'after chunk') {
      if (line !== '\r') throw new MalformedAnswer('a chunk longer than its size');
      this.#phase = 'chunk line';
    } else if (line === '\r') {
      this.#end();
    } else {
      this.#left -= line.length;
      if (!line.endsWith('\r')) throw new MalformedAnswer('a trailer that is none');
      if (this.#left < 0) throw new HeadTooLarge();
    }
  }

  #end(): void {
    this.#phase = 'done';
    this.#sink = null;
  }
}
