const ENDPOINTS = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/responses',
  '/v1/moderations',
] as const;
/** A model endpoint, by OpenAI's name for it. */
export type Endpoint = (typeof ENDPOINTS)[number];

/** `azure` says that it came in one of Azure's shapes; `deployment` stands in for the model there. */
export interface EndpointRoute {
  kind: 'endpoint';
  endpoint: Endpoint;
  azure: boolean;
  deployment: string | null;
}

/** What a URL asks for. */
export type Route =
  | EndpointRoute
  | { kind: 'models'; model: string | null; azure: boolean }
  | { kind: 'health' | 'metrics' | 'unknown' }
  | { kind: 'control'; action: string };

const PLAIN = new Map<string, Route>(
  ENDPOINTS.map((endpoint) => [endpoint, { kind: 'endpoint', endpoint, azure: false, deployment: null }]),
);
const UNKNOWN: Route = { kind: 'unknown' };

/** Reads a request's path and query: OpenAI's paths, Azure's v1 and dated ones, and the server's own. */
export function readPath(url: string): Route {
  const plain = PLAIN.get(url);
  if (plain) return plain;
  const [path = '', query = ''] = url.split('?', 2);
  if (path === '/health' || path === '/ping') return { kind: 'health' };
  if (path === '/metrics') return { kind: 'metrics' };
  if (path.startsWith('/__control/')) return { kind: 'control', action: path.slice('/__control/'.length) };
  if (path.startsWith('/v1/')) return readOpenAIPath(path, false);
  if (path.startsWith('/openai/v1/')) return readOpenAIPath(path.slice('/openai'.length), true);
  // Azure's dated paths do not exist without a version.
  if (path.startsWith('/openai/') && new URLSearchParams(query).has('api-version')) return readDatedPath(path);
  return UNKNOWN;
}

function readOpenAIPath(path: string, azure: boolean, deployment: string | null = null): Route {
  if (path === '/v1/models') return { kind: 'models', model: null, azure };
  if (path.startsWith('/v1/models/'))
    return { kind: 'models', model: decoded(path.slice('/v1/models/'.length)), azure };
  const endpoint = ENDPOINTS.find((known) => known === path);
  return endpoint ? { kind: 'endpoint', endpoint, azure, deployment } : UNKNOWN;
}

function readDatedPath(path: string): Route {
  const deployment = /^\/openai\/deployments\/([^/]+)(\/.+)$/.exec(path);
  if (deployment) return readOpenAIPath(`/v1${deployment[2]}`, true, decoded(deployment[1] ?? ''));
  return readOpenAIPath(`/v1${path.slice('/openai'.length)}`, true);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
