import type { ServerResponse } from 'node:http';
import type { getRequestListener, HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { ApiError } from '../core/api-error.ts';
import type { Log } from '../ports/log.ts';
import type { DirectBindings, DirectBody } from './direct-body.ts';

type Fetch = (request: Request, bindings: object & DirectBindings) => Response | Promise<Response>;
type Served = Parameters<typeof getRequestListener>[0];

/**
 * Lets the answers of an app on Node send their bodies without a web stream, in which each piece takes memory outside the
 * heap that waits for a collection of all garbage: a large download had 64 MB of it.
 */
export function withDirectBodies(fetch: Fetch, log: Log): Served {
  return async (request, bindings) => {
    const direct: DirectBody = { pieces: null };
    const response = await fetch(request, { ...bindings, direct });
    if (direct.pieces === null || request.method === 'HEAD') return response;
    // The adapter serves HTTP/2 too, this server does not.
    const { outgoing } = bindings as HttpBindings;
    try {
      await send(direct.pieces, response, outgoing);
    } catch (error) {
      const requestId = response.headers.get('x-request-id');
      if (outgoing.destroyed) log.debug({ requestId }, 'the client left before the end of its answer');
      else if (error instanceof ApiError && error.status < 500)
        log.info({ requestId, reason: error.message }, 'an answer was ended');
      else log.error({ requestId, err: error }, 'an answer broke off');
      // Whoever reads must not take what came for the whole.
      outgoing.destroy();
    }
    return RESPONSE_ALREADY_SENT;
  };
}

/** Throws when the client leaves, and when there are fewer bytes than the head has told. */
async function send(pieces: AsyncIterable<Uint8Array>, response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.setHeaders(response.headers);
  outgoing.writeHead(response.status);
  outgoing.flushHeaders();
  let missing = Number(response.headers.get('content-length') ?? Number.NaN);
  let written: Promise<void> = Promise.resolve();
  for await (const piece of pieces) {
    // The memory of the piece before this one is used for the next.
    await written;
    written = write(outgoing, piece);
    // It is met by the next wait; until then it must not count as unhandled.
    written.catch(() => undefined);
    missing -= piece.length;
  }
  await written;
  if (missing > 0) throw new Error(`${missing} bytes of the answer are missing`);
  outgoing.end();
}

/** Resolves when the kernel has the bytes. */
function write(outgoing: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(new Error('the connection is closed'));
    if (outgoing.destroyed) return leave();
    outgoing.once('close', leave);
    outgoing.write(bytes, (error) => {
      outgoing.off('close', leave);
      if (error) reject(error);
      else resolve();
    });
  });
}
