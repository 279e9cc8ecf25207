import type { ServerResponse } from 'node:http';
import type { Answer } from './answer.ts';

/** Puts one answer on the wire: whole, or piece by piece over time. */
export class Delivery {
  readonly #response: ServerResponse;
  readonly #requestId: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(response: ServerResponse, requestId: string) {
    this.#response = response;
    this.#requestId = requestId;
  }

  /** Sends a whole answer; `headers` are flat name–value pairs. */
  send(status: number, body: string, type = 'application/json', headers: string[] = []): void {
    this.open(status, type, ['content-length', String(Buffer.byteLength(body)), ...headers]);
    this.#response.end(body);
  }

  /** Begins an answer whose body follows in pieces. */
  open(status: number, type: string, headers: string[]): void {
    this.#response.writeHead(status, ['content-type', type, 'x-request-id', this.#requestId, ...headers]);
  }

  /** Writes the pieces with a pause (ms) between them, then goes on with `then`. */
  drip(pieces: readonly (Buffer | string)[], pause: number, then: () => void): void {
    let next = 0;
    const step = () => {
      do {
        const piece = pieces[next];
        if (piece !== undefined) this.#response.write(piece);
        next += 1;
      } while (pause === 0 && next < pieces.length);
      if (next < pieces.length) this.wait(pause, step);
      else then();
    };
    step();
  }

  /** Goes on with `then` after `pause` milliseconds, unless stopped. */
  wait(pause: number, then: () => void): void {
    this.#timer = setTimeout(then, pause);
  }

  end(): void {
    this.#response.end();
  }

  /** Nothing that was planned happens any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** An answer as the text of server-sent events. */
export function streamPieces(answer: Answer, closing: string | null): string[] {
  const pieces = (answer.events?.() ?? []).map(
    ({ name, data }) => `${name ? `event: ${name}\n` : ''}data: ${JSON.stringify(data)}\n\n`,
  );
  return closing === null ? pieces : [...pieces, `data: ${closing}\n\n`];
}

/** A body in at most `count` parts of equal size. */
export function cutIntoPieces(body: Buffer, count: number): Buffer[] {
  const size = Math.max(1, Math.ceil(body.length / count));
  const pieces: Buffer[] = [];
  for (let start = 0; start < body.length; start += size) pieces.push(body.subarray(start, start + size));
  return pieces;
}
