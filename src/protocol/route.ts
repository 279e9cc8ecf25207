import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { ENDPOINTS } from './endpoint.ts';
import { heldTargetSchema, unreachableSchema } from './held-target.ts';
import { shardAlertCountSchema } from './shard-alert.ts';

/**
 * A routing config, in Portkey's words: a tree whose leaves are targets. The schema gives the shape; what no schema can
 * say (names that must exist, weights that must not all be zero) is checked by core/route-check.ts.
 */
export const ROUTE_DEPTH_MAX = 8;
export const ROUTE_NODES_MAX = 64;
export const ROUTE_RETRIES_MAX = 5;
const RESCUE_TARGETS_MAX = 8;
/** Names of one tenant's routes; a slash would look like `provider/model`. */
export const ROUTE_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
export const ROUTE_NAME_RULE = 'use 1 to 128 letters, digits, . _ : or -, starting with a letter or digit';

const statusCodes = z.array(z.int().min(100).max(599)).min(1).max(64);
const params = z.record(z.string(), z.unknown());

export const retrySchema = z.strictObject({
  attempts: z.int().min(0).max(ROUTE_RETRIES_MAX).optional(),
  on_status_codes: statusCodes.optional(),
  use_retry_after_header: z.boolean().optional(),
});

const healingActionSchema = z.enum(['accept', 'retry', 'fail']);

const healingRuleSchema = z.strictObject({
  action: healingActionSchema,
  attempts: z.int().min(1).max(ROUTE_RETRIES_MAX).optional(),
  to: z.enum(['same', 'next']).optional(),
  otherwise: z.enum(['accept', 'fail']).optional(),
});

/** What becomes of an answer that came but may not serve; a word alone is the rule's `action`. */
const healingSchema = z.union([healingActionSchema, healingRuleSchema]);
const truncationSchema = z.union([
  healingActionSchema,
  healingRuleSchema.extend({ max_tokens_factor: z.number().gt(1).max(16).optional() }),
]);

/** Answers that are given again. `semantic` matching, which Portkey has, is not: it would answer another question. */
const cacheSchema = z.strictObject({
  mode: z.literal('simple', { error: "must be 'simple': other modes are not supported" }),
  max_age: z.int().min(1).max(31_536_000).optional(),
});

const rate = z.int().min(1).max(1_000_000_000).optional();

/** Of one tenant's batch lines and calls together, in each process. */
const limitsSchema = z.strictObject({ requests_per_minute: rate, tokens_per_minute: rate });

/** When batch lines may be sent; days, times and the zone are checked by core/route-limits.ts. */
const scheduleSchema = z.strictObject({
  time_zone: z.string().max(64).optional(),
  windows: z
    .array(z.strictObject({ days: z.array(z.string().max(8)).max(7).optional(), from: z.string(), to: z.string() }))
    .min(1)
    .max(50),
});

const conditionSchema = z.strictObject({
  query: z.record(z.string(), z.unknown()),
  // biome-ignore lint/suspicious/noThenProperty: the word of the routing config; a plain value, never awaited.
  then: z.string().min(1).max(128), // oxlint-disable-line unicorn/no-thenable -- the same
});

export const strategySchema = z.strictObject({
  mode: z.enum(['single', 'loadbalance', 'fallback', 'conditional']),
  by: z.enum(['requests', 'capacity', 'tokens']).optional(),
  on_status_codes: statusCodes.optional(),
  conditions: z.array(conditionSchema).min(1).max(32).optional(),
  default: z.string().min(1).max(128).optional(),
});

/** A node below the root: a target, or a group of them. */
const routeNodeSchema = z
  .strictObject({
    name: z.string().min(1).max(128).optional(),
    strategy: strategySchema.optional(),
    get targets() {
      return z.array(routeNodeSchema).min(1).max(ROUTE_NODES_MAX).optional();
    },
    provider: z.string().min(1).max(128).optional(),
    model: z.string().min(1).max(256).optional(),
    weight: z.number().min(0).max(1e9).optional(),
    mode: z.enum(['batch', 'immediate', 'auto']).optional(),
    retry: retrySchema.optional(),
    on_truncation: truncationSchema.optional(),
    on_invalid_json: healingSchema.optional(),
    on_refusal: healingSchema.optional(),
    cache: cacheSchema.optional(),
    limits: limitsSchema.optional(),
    schedule: scheduleSchema.optional(),
    request_timeout: z.int().min(1).max(86_400_000).optional(),
    default_params: params.optional(),
    override_params: params.optional(),
    drop_params: z.array(z.string().min(1).max(256)).max(64).optional(),
  })
  .openapi('RouteTarget');

const rescueTargetSchema = routeNodeSchema.omit({ strategy: true, targets: true });

const rescueSchema = z.strictObject({
  after: z
    .string()
    .regex(/^[1-9]\d{0,5}[mhd]$/, 'use a number of minutes, hours or days, such as 90m, 20h or 2d')
    .optional(),
  to: z.union([rescueTargetSchema, z.array(rescueTargetSchema).min(1).max(RESCUE_TARGETS_MAX)]).optional(),
});

export const routeSchema = z
  .strictObject({
    ...routeNodeSchema.shape,
    /** Where lines go that a provider batch failed or did not finish, and when they are called back from it. */
    rescue: rescueSchema.optional(),
  })
  .openapi('RouteConfig');

export type Route = z.infer<typeof routeSchema>;
export type Rescue = z.infer<typeof rescueSchema>;
/** `max_tokens_factor` is of `on_truncation` alone. */
export type HealingInput = z.infer<typeof truncationSchema>;
export type Strategy = z.infer<typeof strategySchema>;

const HOOKS = 'guardrails and mutators are not supported; remove it and check results after the batch';
const CREDENTIALS = 'credentials belong to the server: name a configured `provider` instead and remove it';

/** Fields that have no meaning here (yet) or in their place, with what to do instead. */
export const REFUSED_ROUTE_FIELDS: Readonly<Record<string, string>> = {
  sticky: 'sticky assignment is not supported; remove it: the same file and route always split the same way',
  cb_config: 'circuit breakers are not configured per route; remove it: a failing target is left by itself',
  input_guardrails: HOOKS,
  output_guardrails: HOOKS,
  before_request_hooks: HOOKS,
  after_request_hooks: HOOKS,
  input_mutators: HOOKS,
  output_mutators: HOOKS,
  api_key: CREDENTIALS,
  virtual_key: CREDENTIALS,
  custom_host: 'a host is set by the operator as the base URL of a provider; name that `provider` and remove it',
  forward_headers: 'headers are not forwarded to providers; remove it',
  prompt_id: 'stored prompts are not supported; put the messages into the request lines',
  passthrough: 'a target takes the provider of the line when it names none; remove it',
  strict_open_ai_compliance: 'answers always have the shape of OpenAI; remove it',
  deployments: 'deployments are set by the operator on the provider; name that `provider` and remove it',
  metadata: 'metadata belongs to the batch, not to the route; send it with the batch',
  max_attempts: 'the name is `attempts`',
  rescue: 'belongs to the route as a whole; write it at the top of the route, beside its `strategy` or `provider`',
  use_retry_after_headers: 'the name is `use_retry_after_header`',
};

/** A route with its name, as /v1/routes shows it. Routes of the config file cannot be changed over the API. */
export const namedRouteSchema = z
  .object({
    id: z.string(),
    object: z.literal('route'),
    name: z.string(),
    config: routeSchema,
    source: z.enum(['config', 'stored']),
    created_at: z.number().int(),
    updated_at: z.number().int(),
  })
  .openapi('Route');

export const routeListSchema = z
  .object({ object: z.literal('list'), data: z.array(namedRouteSchema) })
  .openapi('RouteList');

// `config` stays open here: its own check names every problem with its path.
const configBody = z.record(z.string(), z.unknown()).openapi({
  type: 'object',
  description: 'A routing config; see the schema RouteConfig.',
});

export const routePutSchema = closedObject({ config: configBody }).openapi('RoutePut');

export const routeCreateSchema = closedObject({
  name: z.string().regex(ROUTE_NAME_PATTERN, ROUTE_NAME_RULE),
  config: configBody,
}).openapi('RouteCreate');

export const routeDeletedSchema = z
  .object({ id: z.string(), object: z.literal('route'), name: z.string(), deleted: z.literal(true) })
  .openapi('RouteDeleted');

export const modelSchema = z
  .object({ id: z.string(), object: z.literal('model'), created: z.number().int(), owned_by: z.string() })
  .openapi('Model');

export const modelListSchema = z.object({ object: z.literal('list'), data: z.array(modelSchema) }).openapi('ModelList');

const limit = z.number().nullable();

/** One of a provider's servers, as it is now. */
const providerMemberSchema = z
  .object({
    /** Its address. */
    name: z.string(),
    /** Requests that it may hold now: what it was found to be able to take, within the operator's bound. */
    limit: z.number().int(),
    in_flight: z.number().int(),
    answered: z.number().int(),
    failed: z.number().int(),
    /** Mean of the last answers; null before the first. */
    latency_ms: z.number().nullable(),
    breaker: z.enum(['closed', 'open', 'probing']),
    health: z.enum(['unknown', 'healthy', 'unhealthy', 'wrong_model']),
    health_reason: z.string().nullable(),
    /** By its own metrics; null when it has none. */
    load: z
      .object({
        running: z.number().nullable(),
        waiting: z.number().nullable(),
        cache_usage: z.number().nullable(),
        prefix_hit_rate: z.number().nullable(),
      })
      .nullable(),
  })
  .openapi('ProviderMember');

/** What an administrator sees of a provider: never its settings, which hold secrets. */
export const providerSchema = z
  .object({
    object: z.literal('provider'),
    name: z.string(),
    kind: z.string(),
    endpoints: z.array(z.enum(ENDPOINTS)),
    models: z.array(z.string()),
    models_from: z.enum(['config', 'provider', 'unknown']),
    /** Why the provider's own list is missing or old; null when all is well. */
    models_error: z.string().nullable(),
    limits: z.object({ concurrency: limit, requests_per_minute: limit, tokens_per_minute: limit }),
    health: z.enum(['unknown', 'healthy', 'unhealthy']),
    /** Single requests at the provider now, batch lines and calls; calls that wait for room. */
    in_flight: z.number().int(),
    calls_waiting: z.number().int(),
    /** False outside the hours of its `schedule`: batch lines wait, or go elsewhere. */
    batch_open: z.boolean(),
    members: z.array(providerMemberSchema),
    /** Why its servers get batch lines only now and then, to see whether one is back; null while one is there. */
    unreachable: unreachableSchema.nullable(),
    /** Models for which the account is refused: batch lines wait, go elsewhere, or fail once that takes too long. */
    held: z.array(heldTargetSchema),
    /** What at its batch service needs a look, with the number of provider batches. */
    alerts: z.array(shardAlertCountSchema),
  })
  .openapi('Provider');

export const providerListSchema = z
  .object({ object: z.literal('list'), data: z.array(providerSchema) })
  .openapi('ProviderList');

export type NamedRoute = z.infer<typeof namedRouteSchema>;
export type ModelObject = z.infer<typeof modelSchema>;
export type ProviderObject = z.infer<typeof providerSchema>;
