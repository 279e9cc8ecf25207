import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { ApiError } from '../../core/api-error.ts';
import type { Deps } from '../../ports/deps.ts';
import { type SessionObject, sessionEndedSchema, sessionSchema } from '../../protocol/session.ts';
import { createSession } from '../../services/sessions/create.ts';
import { endSession } from '../../services/sessions/end.ts';
import type { AppEnv } from '../env.ts';
import { clearSessionCookie, setSessionCookie } from '../session-cookie.ts';

const path = '/v1/session';
const tags = ['Dashboard'];
const answer = { description: 'Who asks', content: { 'application/json': { schema: sessionSchema } } };

const create = createRoute({
  method: 'post',
  path,
  tags,
  summary: 'Sign a browser in: exchanges the API key of this request for a cookie',
  responses: { 200: answer },
});

const get = createRoute({
  method: 'get',
  path,
  tags,
  summary: 'Whose key or session this is',
  responses: { 200: answer },
});

const end = createRoute({
  method: 'delete',
  path,
  tags,
  summary: 'Sign the browser out',
  responses: { 200: { description: 'Ended', content: { 'application/json': { schema: sessionEndedSchema } } } },
});

/** `/v1/session`: the dashboard's way in. `onEnded`: ends what this process has open for a session. */
export function registerSession(app: OpenAPIHono<AppEnv>, deps: Deps, onEnded: (hash: string) => void): void {
  const present = (actor: Parameters<typeof createSession>[1]['actor'], expiresAt: number | null): SessionObject => ({
    object: 'session',
    role: actor.role,
    tenant_id: actor.tenantId,
    key_id: actor.keyId,
    expires_at: expiresAt,
  });
  app.openapi(create, async (c) => {
    if (c.get('session') !== undefined) {
      throw new ApiError(401, 'A session is made with an API key. Send it as the Authorization header.', {
        code: 'invalid_api_key',
      });
    }
    const { row, token } = await createSession(deps, c.get('context'));
    setSessionCookie(c, token);
    return c.json(present(c.get('context').actor, row.expiresAt), 200);
  });
  app.openapi(get, (c) => c.json(present(c.get('context').actor, c.get('session')?.expiresAt ?? null), 200));
  app.openapi(end, async (c) => {
    const session = c.get('session');
    if (session !== undefined) {
      await endSession(deps, session);
      onEnded(session.hash);
    }
    clearSessionCookie(c);
    return c.json({ object: 'session' as const, deleted: true as const }, 200);
  });
}
