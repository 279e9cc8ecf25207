import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { formatId, ID_BYTES } from '../core/ids.ts';
import type { Deps } from '../ports/deps.ts';
import type { Metric, Metrics } from '../ports/metrics.ts';
import type { AppEnv } from './env.ts';
import { isMessagesPath } from './errors.ts';

const requestIdPattern = /^[A-Za-z0-9_.-]{1,128}$/;

/** On every answer. */
export const SECURITY_HEADERS: Record<string, string> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** For answers that are data: nothing in them may run or be framed, and nobody may keep them. */
export const DATA_HEADERS: Record<string, string> = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
};

const requests: Metric = {
  name: 'weir_http_requests_total',
  help: 'HTTP requests answered.',
  labels: ['method', 'route', 'status'],
};

const duration: Metric = {
  name: 'weir_http_request_duration_seconds',
  help: 'Time from a request to the head of its answer.',
  labels: ['method', 'route'],
  buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600],
};

/** Around every request: its id, the security headers, a count and a duration. No CORS header is ever sent. */
export function frame(deps: Pick<Deps, 'clock' | 'random' | 'log'>, metrics: Metrics): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const start = deps.clock.micros();
    const requestId = requestIdOf(deps, c.req.header('x-request-id'));
    c.set('requestId', requestId);
    await next();
    const { headers } = c.res;
    headers.set('x-request-id', requestId);
    // Anthropic's clients look for it there.
    if (isMessagesPath(c.req.path)) headers.set('request-id', requestId);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) headers.set(name, value);
    for (const [name, value] of Object.entries(DATA_HEADERS)) if (!headers.has(name)) headers.set(name, value);
    const seconds = (deps.clock.micros() - start) / 1e6;
    const labels = { method: c.req.method, route: routeLabel(matchedRoutes(c)) };
    countRequest(metrics, labels, c.res.status, seconds);
    deps.log.debug({ requestId, ...labels, status: c.res.status, seconds }, 'request answered');
  };
}

/** The client's own id of the request if it is one that may stand in headers and logs, else a new one. */
export function requestIdOf(deps: Pick<Deps, 'random'>, given: string | undefined): string {
  if (given !== undefined && requestIdPattern.test(given)) return given;
  return formatId('req_', deps.random.bytes(ID_BYTES));
}

/** Counts an answered request; `seconds` is the time to the head of its answer. */
export function countRequest(
  metrics: Metrics,
  labels: { method: string; route: string },
  status: number,
  seconds: number,
): void {
  metrics.count(requests, { method: labels.method, route: labels.route, status });
  metrics.observe(duration, labels, seconds);
}

/** The route's pattern, never the path: paths hold ids, and there is no end of them. */
function routeLabel(routes: readonly { method: string; path: string }[]): string {
  return routes.findLast((route) => route.method !== 'ALL')?.path ?? 'unmatched';
}
