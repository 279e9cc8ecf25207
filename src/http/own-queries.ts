import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { ApiError } from '../core/api-error.ts';
import { closeNames } from '../core/close-names.ts';
import type { AppEnv } from './env.ts';

/** Paths of OpenAI's and Anthropic's, whose clients may know parameters that we do not: those services ignore most. */
const THEIRS = [
  /^\/v1\/(chat|completions|embeddings|files|messages|models|moderations|responses|uploads)(\/|$)/,
  /^\/v1\/webhook_(endpoints|event_types)(\/|$)/,
  /^\/v1\/batches(\/:id(\/cancel)?)?$/,
  /^\/v1\/evals(?!.*\/(comparison|choice)(\/|$))(\/|$)/,
];

/** Azure's clients send it with every request. */
const TAKEN_EVERYWHERE = 'api-version';
const MEMBER = /^([^[]+)\[.+\]$/;
const SHOWN_CHARACTERS = 64;

/**
 * Refuses a parameter of an address that was misspelt: ignored, a filter would give the account of something else. What a
 * path takes is what its route declares; `tag[name]` is taken where `tag` is.
 */
export function refuseUnknownQueries(app: OpenAPIHono<AppEnv>): MiddlewareHandler<AppEnv> {
  let table: ReadonlyMap<string, readonly string[]> | null = null;
  return async (c, next) => {
    if (c.req.url.includes('?')) {
      table ??= namesByRoute(app);
      const route = matchedRoutes(c).find(({ method }) => method !== 'ALL');
      const known = route && table.get(`${route.method} ${route.path}`);
      if (known !== undefined) refuseOthers(new URL(c.req.url).searchParams, known);
    }
    await next();
  };
}

/** Of each of Weir's own routes, as the router names it, the parameters that it takes. */
function namesByRoute(app: OpenAPIHono<AppEnv>): ReadonlyMap<string, readonly string[]> {
  const table = new Map<string, readonly string[]>();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue;
    const { method, path, request } = definition.route;
    const pattern = path.replaceAll(/\{([^}]+)\}/g, ':$1');
    if (THEIRS.some((theirs) => theirs.test(pattern))) continue;
    const query = request?.query as { shape?: object } | undefined;
    table.set(`${method.toUpperCase()} ${pattern}`, Object.keys(query?.shape ?? {}));
  }
  return table;
}

function refuseOthers(given: URLSearchParams, known: readonly string[]): void {
  for (const name of given.keys()) {
    const base = MEMBER.exec(name)?.[1];
    if (known.includes(name) || name === TAKEN_EVERYWHERE || (base === 'tag' && known.includes(base))) continue;
    const shown = name.slice(0, SHOWN_CHARACTERS);
    throw new ApiError(400, `Unknown parameter: '${shown}'. ${remedy(base ?? name, known)}`, {
      code: 'unknown_parameter',
      param: shown,
    });
  }
}

function remedy(name: string, known: readonly string[]): string {
  if (known.length === 0) return 'This path takes none.';
  const [meant] = closeNames(name, known);
  return meant === undefined ? `This path takes ${known.join(', ')}.` : `Did you mean '${meant}'?`;
}
