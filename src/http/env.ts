import type { Context } from '../ports/deps.ts';
import type { SessionRow } from '../ports/store-sessions.ts';

/** What the middleware leaves for the handlers of every route. */
export interface AppEnv {
  Variables: {
    /** Who asks, with ids and the signal; set for every path that needs a key. */
    context: Context;
    /** Set when a signed-in browser asks in place of a key's holder. */
    session?: SessionRow;
    requestId: string;
    /** Is shown the bytes of an upload as they are read. */
    observeBody?: (chunk: Uint8Array) => void;
    /** What an Idempotency-Key remembers in place of the answer's body: answers that carry a secret set it. */
    rememberedBody?: string;
  };
}
