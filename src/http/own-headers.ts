import type { MiddlewareHandler } from 'hono';
import { ApiError } from '../core/api-error.ts';
import { closeNames } from '../core/close-names.ts';
import type { AppEnv } from './env.ts';

/** What the names of Weir's own headers begin with. */
export const OWN_PREFIX = 'x-weir-';

/** How those go on that a client may send. */
const NAMES = ['cache', 'config', 'dashboard', 'deadline', 'metadata', 'priority', 'when-pending', 'window'];
const OWN_HEADERS: ReadonlySet<string> = new Set(NAMES.map((name) => OWN_PREFIX + name));

/** The first of these names, in small letters, that looks like one of Weir's headers and is none. */
export function unknownOwnHeader(names: readonly string[]): string | undefined {
  return names.find((name) => name.startsWith(OWN_PREFIX) && !OWN_HEADERS.has(name));
}

/** Refuses a header that was misspelt: ignored, it would send a request elsewhere than it was to go. */
export const refuseUnknownHeaders: MiddlewareHandler<AppEnv> = async (c, next) => {
  const unknown = c.req.method === 'GET' ? undefined : unknownOwnHeader(Object.keys(c.req.header()));
  if (unknown !== undefined) {
    const [meant] = closeNames(unknown.slice(OWN_PREFIX.length), NAMES);
    const remedy = meant === undefined ? 'Remove it or correct its name.' : `Did you mean '${OWN_PREFIX}${meant}'?`;
    throw new ApiError(400, `Unknown header: '${unknown}'. ${remedy}`, { code: 'unknown_parameter', param: unknown });
  }
  await next();
};
