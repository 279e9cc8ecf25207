import type { Context as HonoContext } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { SESSION_SECONDS } from '../services/sessions/create.ts';
import type { AppEnv } from './env.ts';

const NAME = 'weir_session';
/** The API alone is given the cookie; the dashboard's pages are the same for everyone. */
const PATH = '/v1';
/** A header that no form and no link can send, and no other site's script without leave. */
const OWN_HEADER = 'x-weir-dashboard';

/**
 * The session token of a request that the dashboard itself made; null for every other request, so that no other site
 * can act with a visitor's cookie. Changes must carry the dashboard's header; reading is also taken from a link that
 * the browser vouches to be on this site (downloads).
 */
export function sessionToken(c: HonoContext<AppEnv>): string | null {
  const token = getCookie(c, NAME);
  if (token === undefined) return null;
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin') return null;
  if (c.req.header(OWN_HEADER) !== undefined) return isOwnOrigin(c) ? token : null;
  return site === 'same-origin' && c.req.method === 'GET' ? token : null;
}

/** Gives the browser a session. Scripts never see it, other sites never send it. */
export function setSessionCookie(c: HonoContext<AppEnv>, token: string): void {
  setCookie(c, NAME, token, {
    path: PATH,
    httpOnly: true,
    sameSite: 'Strict',
    secure: isSecure(c),
    maxAge: SESSION_SECONDS,
  });
}

export function clearSessionCookie(c: HonoContext<AppEnv>): void {
  deleteCookie(c, NAME, { path: PATH, httpOnly: true, sameSite: 'Strict', secure: isSecure(c) });
}

/** A proxy in front tells the scheme that the browser used; a client that lies about it only harms itself. */
function isSecure(c: HonoContext<AppEnv>): boolean {
  return c.req.header('x-forwarded-proto') === 'https' || new URL(c.req.url).protocol === 'https:';
}

/** Where the browser names the origin, it must be this server. */
function isOwnOrigin(c: HonoContext<AppEnv>): boolean {
  const origin = c.req.header('origin');
  if (origin === undefined || !URL.canParse(origin)) return origin === undefined;
  const { host } = new URL(origin);
  return host === c.req.header('host') || host === c.req.header('x-forwarded-host') || host === new URL(c.req.url).host;
}
