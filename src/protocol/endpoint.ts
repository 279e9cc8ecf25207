/** The endpoints a batch may name, with OpenAI's paths. A family shares one kind of answer, so one batch may mix its members. */
export const ENDPOINTS = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/responses',
  '/v1/moderations',
] as const;

export type Endpoint = (typeof ENDPOINTS)[number];

export type EndpointFamily = 'generation' | 'embeddings' | 'moderations';

const FAMILIES: Record<Endpoint, EndpointFamily> = {
  '/v1/chat/completions': 'generation',
  '/v1/completions': 'generation',
  '/v1/responses': 'generation',
  '/v1/embeddings': 'embeddings',
  '/v1/moderations': 'moderations',
};

/** The family of an endpoint: lines of one family may stand in one file. */
export function endpointFamily(endpoint: Endpoint): EndpointFamily {
  return FAMILIES[endpoint];
}

const BY_SPELLING = new Map<string, Endpoint>(
  ENDPOINTS.flatMap((endpoint) => [
    [endpoint, endpoint],
    // Azure's dated API versions write the path without the version prefix.
    [endpoint.slice('/v1'.length), endpoint],
  ]),
);

/** Reads an endpoint as OpenAI or Azure spells it; undefined for anything else (full URLs, queries, dots). */
export function parseEndpoint(text: string): Endpoint | undefined {
  return BY_SPELLING.get(text);
}
