import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type { Presented } from '../../services/keys/authenticate.ts';
import { BAD_REQUEST } from './answer-head.ts';
import type { CallHead } from './call-head.ts';
import type { AskedCall, Carrier, Client } from './exchange.ts';
import { LATIN1_MAX, latin1Of } from './latin1.ts';
import { readBuffer, readInPlace } from './read-in-place.ts';

/** Messages with more bytes are node:http's. So much is also held of what a client sends before it has its answer. */
const MESSAGE_BYTES_MAX = 64 * 1024;

/** What a connection needs of the front that it belongs to. */
export interface Front {
  readonly head: CallHead;
  /** Counts on with time. */
  readonly turn: number;
  /** Connections end with the answer that they carry. */
  readonly isClosing: boolean;
  /** The head that was just read, as a call; null for one that is not for here. */
  asked(): AskedCall | null;
  start(asked: AskedCall, connection: FrontConnection): void;
  /** See answer-head.ts. */
  answerHead(status: number, headers: readonly string[], isChunked: boolean): string;
  /** The connection is node:http's from now on, and nothing of it was read. */
  handOver(socket: Socket): void;
  /** It is over, or handed over. */
  gone(connection: FrontConnection): void;
}

/**
 * A client's connection, as long as it carries nothing but calls that come whole and one after the other. With whatever else
 * comes, it is node:http's from the beginning of that message on, and never comes back.
 *
 *   waiting ──► (coming ──►) answering ──► waiting ──► … ──► gone
 *      └───────────┴─────────────┴─────────────────────────────┴─► node:http's
 */
export class FrontConnection implements Carrier, Client {
  readonly presented: Presented = { secret: '', hash: '' };
  hasBegun = false;
  /** The front's turn when it began to wait for what it waits for. */
  since: number;
  phase: 'waiting' | 'coming' | 'answering' | 'gone' = 'waiting';
  /** It has carried a call. */
  isUsed = false;
  readonly #front: Front;
  readonly #socket: Socket;
  readonly #departure = new AbortController();
  /** Of a message that is coming in; or what came while a call was answered. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #asked: AskedCall | null = null;
  #bodyFrom = 0;
  /** Bytes of the message that comes in. */
  #messageBytes = 0;
  #body: Uint8Array | null = null;
  /** The head of an answer in pieces, until the first of them. */
  #head = '';

  constructor(front: Front, socket: Socket) {
    this.#front = front;
    this.#socket = socket;
    this.since = front.turn;
    if (!readInPlace(socket, this.#onRead)) socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  get signal(): AbortSignal {
    return this.#departure.signal;
  }

  get address(): string {
    return this.#socket.remoteAddress ?? 'unknown';
  }

  /** Whether the client has not taken all that was written. */
  get isBehind(): boolean {
    return this.#socket.writableLength > 0;
  }

  body(): Uint8Array {
    const body = this.#body ?? new Uint8Array(0);
    this.#body = null;
    return body;
  }

  send(status: number, headers: readonly string[], body: Uint8Array): void {
    const head = this.#front.answerHead(status, headers, false);
    this.hasBegun = true;
    if (body.length > LATIN1_MAX) {
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      this.#socket.write(body);
      this.#socket.uncork();
    } else this.#socket.write(head + latin1Of(body), 'latin1');
    this.#answered();
  }

  begin(status: number, headers: readonly string[]): void {
    this.#head = this.#front.answerHead(status, headers, true);
    this.hasBegun = true;
  }

  write(text: string): boolean {
    return this.#writePiece(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
  }

  drained(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      const go = (): void => {
        socket.off('drain', go);
        socket.off('close', go);
        resolve();
      };
      if (socket.destroyed || !socket.writableNeedDrain) go();
      else socket.on('drain', go).on('close', go);
    });
  }

  end(): void {
    this.#writePiece('0\r\n\r\n');
    this.#answered();
  }

  abort(): void {
    this.#socket.destroy();
  }

  /** Ends it when the client has taken what was written. */
  finish(): void {
    this.#socket.destroySoon();
  }

  /** Ends it at once, with what it carries. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Makes it node:http's, with what has come of a message. */
  handOver(): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.readableEnded) return;
    const held = this.#held;
    this.#leave();
    socket.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose);
    socket.pause();
    if (held.length > 0) socket.unshift(Buffer.concat(held));
    this.#front.handOver(socket);
    // What was put back is read before anything new: that comes in a later turn of the event loop.
    socket.resume();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#take(chunk, chunk.length);
  };

  readonly #onRead = (count: number): boolean => {
    // What node:http has its sockets read by themselves, after an upgrade for instance, comes by their events.
    if (this.phase === 'gone') return this.#socket.push(copyOf(readBuffer, 0, count));
    this.#take(readBuffer, count);
    return true;
  };

  /** Takes the first `end` of `bytes`, which are not its own. */
  #take(bytes: Buffer, end: number): void {
    if (this.phase !== 'waiting') {
      this.#hold(copyOf(bytes, 0, end));
      if (this.phase === 'coming') this.#answerIfWhole();
      else if (this.#heldBytes > MESSAGE_BYTES_MAX) this.#socket.pause();
      return;
    }
    const { head } = this.#front;
    // Who asks for more before the last answer was taken is held back by node:http.
    const asked = !this.isBehind && head.read(bytes, end) ? this.#front.asked() : null;
    const messageBytes = head.bodyFrom + head.bodyBytes;
    if (asked !== null && messageBytes === end) {
      this.#answer(asked, copyOf(bytes, head.bodyFrom, end));
      return;
    }
    this.#hold(copyOf(bytes, 0, end));
    if (asked === null || messageBytes > MESSAGE_BYTES_MAX) {
      this.handOver();
      return;
    }
    this.#asked = asked;
    this.#bodyFrom = head.bodyFrom;
    this.#messageBytes = messageBytes;
    this.phase = 'coming';
    this.since = this.#front.turn;
    this.#answerIfWhole();
  }

  #writePiece(piece: string): boolean {
    const head = this.#head;
    if (head === '') return this.#socket.write(piece);
    this.#head = '';
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    const isTaken = this.#socket.write(piece);
    this.#socket.uncork();
    return isTaken;
  }

  #hold(chunk: Buffer): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
  }

  #answerIfWhole(): void {
    const bytes = this.#messageBytes;
    if (this.#heldBytes < bytes || this.#asked === null) return;
    const [first = Buffer.alloc(0)] = this.#held;
    const all = this.#held.length === 1 ? first : Buffer.concat(this.#held);
    this.#held = all.length > bytes ? [all.subarray(bytes)] : [];
    this.#heldBytes = all.length - bytes;
    this.#answer(this.#asked, all.subarray(this.#bodyFrom, bytes));
  }

  #answer(asked: AskedCall, body: Buffer): void {
    this.#body = body;
    this.phase = 'answering';
    this.hasBegun = false;
    this.isUsed = true;
    this.#front.start(asked, this);
  }

  /** The next call may come; one that has come before it was its turn is node:http's, whose clients may do so. */
  #answered(): void {
    this.#asked = null;
    if (this.phase === 'gone') return;
    this.phase = 'waiting';
    this.since = this.#front.turn;
    if (this.#front.isClosing) this.finish();
    else if (this.#heldBytes > 0) this.handOver();
  }

  /** As node:http: who ends a connection waits for no answer, and half a message is none. */
  readonly #onEnd = (): void => {
    if (this.phase === 'coming') this.#socket.write(BAD_REQUEST);
    this.#drop();
    this.#socket.end();
  };

  readonly #onError = (): void => {
    this.#socket.destroy();
  };

  readonly #onClose = (): void => {
    this.#leave();
    this.#departure.abort();
  };

  #leave(): void {
    this.phase = 'gone';
    this.#drop();
    this.#front.gone(this);
  }

  #drop(): void {
    this.#held = [];
    this.#heldBytes = 0;
  }
}

function copyOf(bytes: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  bytes.copy(copy, 0, from, to);
  return copy;
}
