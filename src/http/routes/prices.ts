import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { ApiError } from '../../core/api-error.ts';
import { invalidRequest } from '../../core/invalid-request.ts';
import { PRICE_MODES } from '../../core/rates.ts';
import { statedPriceSchema } from '../../core/stated-price.ts';
import type { Deps } from '../../ports/deps.ts';
import {
  priceChangesSchema,
  priceCreatedSchema,
  pricePageSchema,
  priceResolutionSchema,
} from '../../protocol/price.ts';
import { requireAdmin } from '../../services/keys/require-admin.ts';
import { readSeconds } from '../../services/ledger/filter.ts';
import { createPrice } from '../../services/prices/create.ts';
import { deletePrice } from '../../services/prices/delete.ts';
import { diffPrices } from '../../services/prices/diff.ts';
import { listPrices } from '../../services/prices/list.ts';
import { resolvePrice } from '../../services/prices/resolve.ts';
import type { AppEnv } from '../env.ts';

const tags = ['Prices'];
const text = z.string().min(1).max(256);

const list = createRoute({
  method: 'get',
  path: '/v1/prices',
  tags,
  summary: 'List prices with the days on which they hold, and where they come from',
  request: {
    query: z.object({
      provider: text.optional(),
      model: text.optional().openapi({ description: 'A model’s name or alias.' }),
      at: text.optional().openapi({ description: 'Unix seconds or an ISO date: only what holds then.' }),
      origin: z.enum(['list', 'stated']).optional(),
      limit: z.coerce.number().int().min(1).max(1_000).default(100),
      after: z.string().min(1).max(600).optional(),
    }),
  },
  responses: { 200: { description: 'A page of prices', content: { 'application/json': { schema: pricePageSchema } } } },
});

const resolve = createRoute({
  method: 'get',
  path: '/v1/prices/resolve',
  tags,
  summary: 'Which price a request to a provider of the config gets, and why',
  request: {
    query: z.object({
      provider: text,
      model: text,
      mode: z.enum(PRICE_MODES).default('standard'),
      at: text.optional(),
      input_tokens: z.coerce.number().int().min(0).optional(),
    }),
  },
  responses: { 200: { description: 'The price', content: { 'application/json': { schema: priceResolutionSchema } } } },
});

const diff = createRoute({
  method: 'get',
  path: '/v1/prices/diff',
  tags,
  summary: 'What @pydantic/genai-prices has otherwise than the prices that hold now; reads only',
  description:
    'For administrators. `successor` is what to send to POST /v1/prices, with `from` and `source`, to follow it from a day on.',
  request: { query: z.object({ provider: text.optional() }) },
  responses: {
    200: { description: 'One change for each model', content: { 'application/json': { schema: priceChangesSchema } } },
  },
});

const create = createRoute({
  method: 'post',
  path: '/v1/prices',
  tags,
  summary: 'State a dated price; it never overwrites another',
  description:
    'USD per million tokens (web_search and file_search: per call) as decimal strings. The price holds from its first day, before ' +
    'every list. Another currency needs `usd_rate` and `usd_rate_on`. `dry_run` checks only.',
  request: { body: { required: true, content: { 'application/json': { schema: z.record(z.string(), z.unknown()) } } } },
  responses: { 200: { description: 'The price', content: { 'application/json': { schema: priceCreatedSchema } } } },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/prices/{id}',
  tags,
  summary: 'Withdraw a stated price that has not begun',
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: {
      description: 'Withdrawn',
      content: {
        'application/json': {
          schema: z.object({ id: z.string(), object: z.literal('price'), deleted: z.literal(true) }),
        },
      },
    },
  },
});

const headSchema = z.object({
  source: z.string().min(1).max(500).default('stated over the API'),
  dry_run: z.boolean().default(false),
});

/** `/v1/prices`; stating and withdrawing are for administrators. */
export function registerPrices(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  app.openapi(list, (c) => {
    const { at, ...query } = c.req.valid('query');
    return c.json(listPrices(deps, { ...query, at: readSeconds('at', at) }), 200);
  });
  app.openapi(resolve, (c) => {
    const { at, input_tokens: inputTokens, ...query } = c.req.valid('query');
    requireAdmin(c.get('context').actor);
    return c.json(resolvePrice(deps, { ...query, at: readSeconds('at', at), inputTokens }), 200);
  });
  app.openapi(diff, async (c) => {
    requireAdmin(c.get('context').actor);
    const changes = await diffPrices(deps, c.req.valid('query'));
    const data = changes.map((change) => ({ object: 'price.change' as const, ...change }));
    return c.json({ object: 'list' as const, source: '@pydantic/genai-prices', data }, 200);
  });
  app.openapi(create, async (c) => {
    requireAdmin(c.get('context').actor);
    const { source, dry_run, ...rest } = c.req.valid('json');
    const head = parse(headSchema, { source, dry_run });
    const price = parse(statedPriceSchema, rest);
    return c.json(await createPrice(deps, c.get('context'), { price, source: head.source, dryRun: head.dry_run }), 200);
  });
  app.openapi(remove, async (c) => {
    requireAdmin(c.get('context').actor);
    const { id } = c.req.valid('param');
    await deletePrice(deps, id);
    return c.json({ id, object: 'price' as const, deleted: true as const }, 200);
  });
}

/** Prices are checked by the schema of price files, whose messages say what a field must be. */
function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') throw invalidRequest(parsed.error, value);
  const param = issue?.path.join('.') ?? '';
  const field = param === '' ? '' : `'${param}': `;
  throw new ApiError(400, `Invalid price: ${field}${issue?.message ?? 'it cannot be read'}.`, {
    code: 'invalid_value',
    ...(param !== '' && { param }),
  });
}
