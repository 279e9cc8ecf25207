import { ENDPOINTS, type Endpoint } from '../../src/protocol/endpoint.ts';

/** `/v1`, `/v1beta`, `/v4`: a base URL that names a version anywhere is taken as complete. */
const versionSegment = /^v\d+[a-z]*\d*$/i;

/** The base URL with its version: `http://pool:8000`, `…/` and `…/v1` all mean `http://pool:8000/v1`. */
export function versionedBase(baseUrl: string): string {
  const base = baseUrl.replace(/\/+$/, '');
  const path = new URL(base).pathname;
  return path.split('/').some((segment) => versionSegment.test(segment)) ? base : `${base}/v1`;
}

/** The URL of an endpoint under a base URL. */
export function endpointUrl(baseUrl: string, endpoint: Endpoint): string {
  return versionedBase(baseUrl) + endpoint.slice('/v1'.length);
}

export function modelsUrl(baseUrl: string): string {
  return `${versionedBase(baseUrl)}/models`;
}

/** vLLM, SGLang, TGI and llama.cpp answer their health check beside the versioned API, not under it. */
export function healthUrl(baseUrl: string): string {
  return serverUrl(baseUrl, 'health');
}

/** A path of the server itself, beside its API. */
export function serverUrl(baseUrl: string, path: string): string {
  return `${versionedBase(baseUrl).replace(/\/v\d+[a-z]*\d*$/i, '')}/${path}`;
}

/** Every endpoint's URL under each base URL, worked out once. */
export function endpointUrls(baseUrls: readonly string[]): ReadonlyMap<string, ReadonlyMap<Endpoint, string>> {
  return new Map(
    baseUrls.map((base) => [base, new Map(ENDPOINTS.map((endpoint) => [endpoint, endpointUrl(base, endpoint)]))]),
  );
}
