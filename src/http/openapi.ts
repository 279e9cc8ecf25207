import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { errorEnvelopeSchema } from '../protocol/error.ts';
import type { AppEnv } from './env.ts';

export type OpenApiDocument = ReturnType<OpenAPIHono<AppEnv>['getOpenAPI31Document']>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;

const info = {
  title: 'Weir',
  version: '1',
  description:
    "OpenAI's Files, Uploads and Batches API over any provider, with an exact account of every request. Errors are OpenAI's envelope. Every POST takes an Idempotency-Key header. Weir's own paths refuse query parameters that they do not take; OpenAI's and Anthropic's ignore them.",
};

const route = createRoute({
  method: 'get',
  path: '/openapi.json',
  tags: ['Server'],
  summary: 'This description of the API',
  security: [],
  responses: { 200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: z.unknown() } } } },
});

/** `/openapi.json`, made of the routes that are registered at the first request for it. */
export function registerOpenApi(app: OpenAPIHono<AppEnv>): () => OpenApiDocument {
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key of this server. The headers `api-key` and `x-api-key` are taken too.',
  });
  app.openAPIRegistry.register('Error', errorEnvelopeSchema);
  let document: OpenApiDocument | null = null;
  const read = (): OpenApiDocument => {
    document ??= complete(
      app.getOpenAPI31Document({ openapi: '3.1.0', info, servers: [{ url: '/' }], security: [{ key: [] }] }),
    );
    return document;
  };
  app.openapi(route, (c) => c.json(read(), 200));
  return read;
}

/** Adds what every operation has in common: an id, the error answer and the Idempotency-Key of a POST. */
function complete(document: OpenApiDocument): OpenApiDocument {
  const tags = new Set<string>();
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item[method];
      if (operation === undefined) continue;
      operation.operationId ??= operationId(method, path);
      operation.responses = {
        ...operation.responses,
        default: {
          description: 'An error',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      };
      if (method === 'post') operation.parameters = [...(operation.parameters ?? []), idempotencyKey];
      for (const tag of operation.tags ?? []) tags.add(tag);
    }
  }
  return { ...document, tags: [...tags].sort().map((name) => ({ name })) };
}

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  required: false,
  description: 'The same key with the same request gives the first answer again; with another request it is 409.',
  schema: { type: 'string' as const, minLength: 1, maxLength: 255 },
};

/** `get /v1/batches/{id}/ledger` → `get_v1_batches_id_ledger`. */
function operationId(method: string, path: string): string {
  return `${method}${path.replaceAll(/[{}]/g, '').replaceAll(/[^A-Za-z0-9]+/g, '_')}`;
}
