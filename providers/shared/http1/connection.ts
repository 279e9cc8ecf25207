import { Buffer } from 'node:buffer';
import { connect as connectTcp, isIP, type NetConnectOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { MalformedAnswer } from './answer-head.ts';
import { AnswerReader, type AnswerSink, HeadTooLarge } from './answer-reader.ts';

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

export interface Origin {
  isTls: boolean;
  /** Without the brackets of an IPv6 address. */
  hostname: string;
  port: number;
  /** Of the connection before, so that a TLS handshake need not begin anew. */
  session?: Buffer | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_PROBE_MS = 60_000;
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
  readonly #socket: Socket;
  readonly #reader = new AnswerReader();
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
    this.#socket = open(origin, (count) => this.#read(count));
    this.#socket.setTimeout(CONNECT_TIMEOUT_MS, () => this.#die('connect timeout'));
    this.#socket.on('session', (session: Buffer) => {
      origin.session = session;
    });
    this.#socket.once(origin.isTls ? 'secureConnect' : 'connect', () => {
      this.#socket.setTimeout(0);
      this.#isConnected = true;
      onConnected(this);
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#die(error.code ?? 'error'));
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('close', () => this.#die('closed'));
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

  #read(count: number): void {
    if (this.isDead) return;
    // What comes while nothing was asked for can only be meant for somebody else's request.
    if (this.#carried === null || !this.#isSent) this.#die('unasked bytes');
    else this.#take(count);
  }

  #take(count: number): void {
    try {
      if (this.#reader.take(readBuffer, count)) this.#whole();
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

function open({ isTls, hostname, port, session }: Origin, read: (count: number) => void): Socket {
  const options: NetConnectOpts = {
    host: hostname,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
    onread: {
      buffer: readBuffer,
      callback: (count) => {
        read(count);
        return true;
      },
    },
  };
  if (!isTls) return connectTcp(options);
  return connectTls({
    ...options,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(hostname) === 0 && { servername: hostname }),
    ...(session && { session }),
  });
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
