import type { Environment } from '../../env.ts';
import type { ServerOptions } from '../../settings.ts';
import { type Check, finding } from './check.ts';

const NAME = 'Server';
const TIMEOUT_MS = 5_000;

/** Whether a server runs where this configuration would start one, and what it says of itself. */
export async function checkServer(environment: Environment, options: ServerOptions): Promise<Check> {
  const url = environment.WEIR_URL?.replace(/\/+$/, '') || addressOf(options);
  const startedAt = performance.now();
  let response: Response;
  try {
    response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError') {
      const remedies = ['Something listens there but does not answer. Look at its log, or choose another WEIR_PORT.'];
      return finding(NAME, 'failed', `${url} does not answer within ${TIMEOUT_MS / 1000} s`, { remedies });
    }
    return finding(NAME, 'info', `none runs at ${url}; npm start starts one`);
  }
  const latencyMs = performance.now() - startedAt;
  const body = (await response.json().catch(() => null)) as { status?: unknown; reasons?: unknown } | null;
  if (typeof body?.status !== 'string' || !Array.isArray(body.reasons)) {
    const remedies = ['Stop what runs there, or choose another WEIR_PORT (or WEIR_URL).'];
    return finding(NAME, 'failed', `${url} is taken by something that is no Weir`, { remedies, latencyMs });
  }
  if (response.ok) return finding(NAME, 'ok', `${url} is ready`, { latencyMs });
  return finding(NAME, 'failed', `${url} is not ready`, { remedies: body.reasons.map(String), latencyMs });
}

function addressOf({ host, port }: ServerOptions): string {
  // A server that listens everywhere is reached here.
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
