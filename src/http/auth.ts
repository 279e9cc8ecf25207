import type { Context as HonoContext, MiddlewareHandler } from 'hono';
import { ApiError } from '../core/api-error.ts';
import { formatId, ID_BYTES } from '../core/ids.ts';
import type { Actor, Deps } from '../ports/deps.ts';
import type { Authenticator } from '../services/keys/authenticate.ts';
import type { Holder } from '../services/keys/open-streams.ts';
import { requireAdmin } from '../services/keys/require-admin.ts';
import { authenticateSession } from '../services/sessions/authenticate.ts';
import type { AppEnv } from './env.ts';
import { sessionToken } from './session-cookie.ts';

/** Asks for an API key, or the dashboard's session, and sets the context of the call. 401 without one that works. */
export function authenticate(
  deps: Pick<Deps, 'random' | 'store' | 'clock' | 'adminKeyHash'>,
  authenticator: Authenticator,
): MiddlewareHandler<AppEnv> {
  async function actorOf(c: HonoContext<AppEnv>): Promise<Actor> {
    const secret = presentedSecret((name) => c.req.header(name));
    if (secret !== null) return authenticator.authenticate(secret, remoteAddress(c));
    const token = sessionToken(c);
    if (token === null) {
      throw new ApiError(401, "An API key is needed. Send it as 'Authorization: Bearer <key>'.", {
        code: 'invalid_api_key',
      });
    }
    const session = await authenticateSession(deps, token);
    c.set('session', session);
    return { tenantId: session.tenantId, keyId: session.keyId, role: session.role };
  }

  return async (c, next) => {
    c.set('context', {
      actor: await actorOf(c),
      newId: (prefix) => formatId(prefix, deps.random.bytes(ID_BYTES)),
      signal: c.req.raw.signal,
    });
    await next();
  };
}

/** For whom a stream is opened. */
export function holderOf(c: HonoContext<AppEnv>): Holder {
  return { keyId: c.get('context').actor.keyId, sessionHash: c.get('session')?.hash ?? null };
}

/** Lets administrators through; 403 for others. Comes after `authenticate`. */
export const adminOnly: MiddlewareHandler<AppEnv> = async (c, next) => {
  requireAdmin(c.get('context').actor);
  await next();
};

/** OpenAI's header, or the ones that Azure's and Anthropic's clients send. */
export function presentedSecret(header: (name: string) => string | undefined): string | null {
  const authorization = header('authorization');
  if (authorization !== undefined) return bearerToken(authorization);
  return header('api-key') ?? header('x-api-key') ?? null;
}

/** The token behind `Bearer`, whatever its case; anything else as it is. */
function bearerToken(authorization: string): string {
  // As nearly all clients write it.
  const plain = authorization.startsWith('Bearer ') ? authorization.slice('Bearer '.length) : '';
  if (plain !== '' && !/\s/.test(plain)) return plain;
  return /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? authorization;
}

/** The peer's address as the runtime knows it. On Node a client cannot choose it; on Workers Cloudflare sets it. */
export function remoteAddress(c: HonoContext<AppEnv>): string {
  const bindings = c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined;
  if (bindings?.incoming !== undefined) return bindings.incoming.socket?.remoteAddress ?? 'unknown';
  return c.req.header('cf-connecting-ip') ?? 'unknown';
}
