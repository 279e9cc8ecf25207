import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type { HttpAddress } from '../../../src/core/http-address.ts';
import type { HttpProxy } from '../../../src/core/proxies.ts';
import { MalformedAnswer } from './answer-head.ts';
import { AnswerReader, type AnswerSink, HeadTooLarge } from './answer-reader.ts';
import { dial, secure } from './dial.ts';
import { openTunnel } from './tunnel.ts';

/** Why no answer came, or no whole one. */
export interface Breakage {
  /** `too_large`: of its head. */
  kind: 'broken' | 'too_large';
  /** A short code, or words; names no host. */
  reason: string;
}

/** One request of a connection, and where its answer goes. */
export interface Carried extends AnswerSink {
  /** Latin-1, with the empty line at its end. */
  readonly head: string;
  readonly body: string | Uint8Array | null;
  /** From here on it may have reached the server. */
  sent(): void;
  /** Its answer is whole. */
  end(): void;
  /** Its answer is not to come any more. */
  broke(breakage: Breakage): void;
}

export interface Origin extends HttpAddress {
  /** What it is reached through; null: nothing. */
  proxy: HttpProxy | null;
  /** Of the connection before, so that a TLS handshake need not begin anew. */
  session?: Buffer | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** So much is copied, head and body, to be one piece of memory for the kernel. */
const ONE_WRITE_BYTES = 32_768;
/** Where all connections read to: what is read is used or copied before the next one reads. */
const readBuffer = Buffer.allocUnsafeSlow(65_536);

/**
 * A connection that carries one HTTP/1.1 request after the other.
 *
 *   connecting ──► idle ◄──► carrying ──► dead
 */
export class Connection {
  /** Set by whom it lies idle with, in milliseconds of the monotonic clock. */
  idleSince = 0;
  idleUntil = 0;
  /** It can carry nothing any more. */
  isDead = false;
  #socket: Socket;
  readonly #reader = new AnswerReader();
  readonly #onConnected: (connection: Connection) => void;
  readonly #onDead: (connection: Connection, unsent: Carried | null) => void;
  #carried: Carried | null = null;
  #isConnected = false;
  /** What it carries was written. */
  #isSent = false;
  /** Requests that it has carried before. */
  #before = 0;

  /** `onDead` is told once, with what it was to carry and has not sent though it was connected: that can go another way. */
  constructor(
    origin: Origin,
    onConnected: (connection: Connection) => void,
    onDead: (connection: Connection, unsent: Carried | null) => void,
  ) {
    this.#onDead = onDead;
    this.#onConnected = onConnected;
    const { proxy, isTls } = origin;
    if (proxy !== null && isTls) {
      this.#socket = openTunnel(proxy, origin, (refusal) => this.#tunneled(origin, refusal));
      this.#socket.setTimeout(CONNECT_TIMEOUT_MS, () => this.#die('connect timeout'));
    } else {
      const callback = (count: number): boolean => {
        this.#read(readBuffer, count);
        return true;
      };
      this.#socket = dial(proxy ?? origin, { session: origin.session, onread: { buffer: readBuffer, callback } });
      this.#watch(origin);
    }
  }

  #tunneled(origin: Origin, refusal: string | null): void {
    if (refusal !== null) this.#die(refusal);
    if (this.isDead) return;
    // Its time would go on beneath that of TLS, and end it while an answer is waited for.
    this.#socket.setTimeout(0);
    this.#socket = secure(this.#socket, origin);
    this.#socket.on('data', (piece: Buffer) => this.#read(piece, piece.length));
    this.#watch(origin);
  }

  #watch(origin: Origin): void {
    const socket = this.#socket;
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => this.#die('connect timeout'));
    socket.on('session', (session: Buffer) => {
      origin.session = session;
    });
    socket.once(origin.isTls || origin.proxy?.isTls ? 'secureConnect' : 'connect', () => {
      socket.setTimeout(0);
      this.#isConnected = true;
      this.#onConnected(this);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.#die(error.code ?? 'error'));
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#die('closed'));
  }

  /** Whether it can be written to; what it is given before that waits for `onConnected`. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Whether it has carried other requests before the one of now. */
  get isReused(): boolean {
    return this.#before > 0;
  }

  /** How long it may be idle now, in milliseconds; 0: it can carry nothing more. */
  get keepAliveMs(): number {
    // The server answered without waiting for all of the request.
    return this.isDead || this.#socket.writableLength > 0 ? 0 : this.#reader.keepAliveMs;
  }

  /** The next request; it is written with `send`. */
  carry(carried: Carried): void {
    this.#carried = carried;
    this.#isSent = false;
  }

  /** Writes what it carries. */
  send(): void {
    const carried = this.#carried;
    if (carried === null || this.isDead || this.#isSent) return;
    this.#isSent = true;
    carried.sent();
    this.#reader.expect(carried);
    write(this.#socket, carried);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.isDead) this.#socket.resume();
  }

  /** What it carries is given up. */
  destroy(): void {
    this.#carried = null;
    this.#die('destroyed');
  }

  #read(bytes: Buffer, count: number): void {
    if (this.isDead) return;
    // What comes while nothing was asked for can only be meant for somebody else's request.
    if (this.#carried === null || !this.#isSent) this.#die('unasked bytes');
    else this.#take(bytes, count);
  }

  #take(bytes: Buffer, count: number): void {
    try {
      if (this.#reader.take(bytes, count)) this.#whole();
    } catch (error) {
      if (error instanceof HeadTooLarge) this.#die('head', 'too_large');
      else if (error instanceof MalformedAnswer) this.#die(error.message);
      else throw error;
    }
  }

  #whole(): void {
    const carried = this.#carried;
    this.#carried = null;
    this.#before += 1;
    carried?.end();
  }

  #ended(): void {
    if (this.#reader.finish()) this.#whole();
    this.#die('closed');
  }

  #die(reason: string, kind: Breakage['kind'] = 'broken'): void {
    if (this.isDead) return;
    this.isDead = true;
    const carried = this.#carried;
    this.#carried = null;
    this.#reader.stop();
    this.#socket.destroy();
    const isUnsent = carried !== null && this.#isConnected && !this.#isSent;
    this.#onDead(this, isUnsent ? carried : null);
    if (!isUnsent) carried?.broke({ kind, reason });
  }
}

function write(socket: Socket, { head, body }: Carried): void {
  const bytes = body === null ? 0 : Buffer.byteLength(body);
  const total = head.length + bytes;
  if (total > ONE_WRITE_BYTES) {
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(body ?? '');
    socket.uncork();
    return;
  }
  const whole = Buffer.allocUnsafe(total);
  whole.write(head, 'latin1');
  if (typeof body === 'string') whole.write(body, head.length);
  else if (body !== null) whole.set(body, head.length);
  socket.write(whole);
}
