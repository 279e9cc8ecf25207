import { z } from 'zod';

const rate = z.number().min(0).max(1);
const milliseconds = z.number().min(0);
const count = z.int().min(0);

/** What can go wrong on purpose: an HTTP error status, or one of the ways a connection misbehaves. */
const faultSchema = z.union([
  z.int().min(400).max(599),
  z.enum(['reset', 'reset_mid_body', 'slow_body', 'hang', 'bad_json']),
]);
export type Fault = z.infer<typeof faultSchema>;

const settingsShape = {
  /** Models listed by `/v1/models`; the first one answers requests that name none. */
  models: z.array(z.string().min(1)).min(1),
  /** The weights behind every name, as `/v1/models` tells; null: the name itself. */
  model_root: z.string().min(1).nullable(),
  /** Answer 404 `model_not_found` to any other model. */
  strict_models: z.boolean(),
  /** Required key (bearer or `api-key` header); null lets everyone in. */
  api_key: z.string().min(1).nullable(),
  /** Context length in tokens; longer prompts get 400. */
  max_model_len: z.int().positive().nullable(),
  embedding_dimensions: z.int().positive().max(16_384),
  seed: count,

  latency_ms: z.union([
    milliseconds,
    z
      .strictObject({ min: milliseconds, max: milliseconds })
      .refine((range) => range.min <= range.max, 'min exceeds max'),
    z.strictObject({ base: milliseconds, per_token: milliseconds }),
  ]),
  /** Requests answered at the same time; null is no limit. */
  slots: z.int().positive().nullable(),
  /** Requests allowed to wait for a slot; null is no limit. */
  queue: count.nullable(),
  /** Whose words refuse a request when the queue is full. */
  overflow: z.enum(['openai', 'vllm', 'tgi', 'ollama']),
  overflow_status: z.union([z.literal(429), z.literal(503)]).nullable(),

  rate_429: rate,
  rate_500: rate,
  rate_503: rate,
  rate_reset: rate,
  rate_reset_mid_body: rate,
  rate_slow_body: rate,
  rate_hang: rate,
  rate_bad_json: rate,
  bad_json: z.enum(['any', 'html', 'truncated', 'empty']),
  /** How long a slow body drips, in all. */
  slow_body_ms: milliseconds,
  /** Requests numbered above `fail_after` and up to `fail_until` fail with `fail_with`; either bound alone works. */
  fail_after: count.nullable(),
  fail_until: count.nullable(),
  fail_with: faultSchema,
  /** A request whose raw body contains the text always fails so. */
  poison: z.array(z.strictObject({ contains: z.string().min(1), fail_with: faultSchema })),

  retry_after: z.enum(['absent', 'seconds', 'http_date', 'milliseconds', 'negative', 'huge']),
  retry_after_seconds: z.number().min(0),
  error_shape: z.enum(['nested', 'flat']),
  usage: z.enum(['on', 'absent', 'zeros', 'cached']),
  rate_length: rate,
  rate_content_filter: rate,
  rate_abort: rate,

  health_status: z.int().min(200).max(599),
  metrics: z.enum(['vllm', 'vllm_v0', 'sglang', 'tgi', 'llamacpp', 'none']),
  engines: z.int().positive().max(64),
  /** Blocks (256 characters) of prompts' beginnings that the server keeps, the last ones used; null: it keeps none. */
  prefix_cache: z.int().positive().nullable(),
  /** Time for each prompt token that no kept block spares; tokens are divided evenly among the characters. */
  prefill_ms_per_token: milliseconds,
  /** Fixed KV-cache usage 0–1 to report; null derives it from the load. */
  kv_cache_usage: z.number().min(0).max(1).nullable(),

  /** What `counters.by_custom` counts: nothing, the body's sha-256, a header, or a dotted path into the JSON body. */
  count_by: z.union([
    z.enum(['none', 'sha256']),
    z.strictObject({ header: z.string().min(1) }),
    z.strictObject({ path: z.string().min(1) }),
  ]),
  /** Requests kept in the log, newest last. */
  log_size: count.max(100_000),
};

const settingsSchema = z.strictObject(settingsShape);
const changesSchema = settingsSchema.partial();

/** Everything about a simulated server that can be changed while it runs. */
export type Settings = z.infer<typeof settingsSchema>;
export type SettingsChanges = z.infer<typeof changesSchema>;

const DEFAULTS: Settings = {
  models: ['sim-small'],
  model_root: null,
  strict_models: false,
  api_key: null,
  max_model_len: null,
  embedding_dimensions: 256,
  seed: 1,
  latency_ms: 0,
  slots: null,
  queue: null,
  overflow: 'openai',
  overflow_status: null,
  rate_429: 0,
  rate_500: 0,
  rate_503: 0,
  rate_reset: 0,
  rate_reset_mid_body: 0,
  rate_slow_body: 0,
  rate_hang: 0,
  rate_bad_json: 0,
  bad_json: 'any',
  slow_body_ms: 1000,
  fail_after: null,
  fail_until: null,
  fail_with: 503,
  poison: [],
  retry_after: 'absent',
  retry_after_seconds: 1,
  error_shape: 'nested',
  usage: 'on',
  rate_length: 0,
  rate_content_filter: 0,
  rate_abort: 0,
  health_status: 200,
  metrics: 'vllm',
  engines: 2,
  prefix_cache: null,
  prefill_ms_per_token: 0,
  kv_cache_usage: null,
  count_by: 'none',
  log_size: 0,
};

/** Settings or changes that cannot be used; the message names each field and what is wrong with it. */
export class InvalidSettings extends Error {
  override readonly name = 'InvalidSettings';
}

/** `current` (default: the defaults) with the stated changes. Throws InvalidSettings; unknown names are refused. */
export function changeSettings(changes: unknown, current: Settings = DEFAULTS): Settings {
  const parsed = changesSchema.safeParse(changes);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'options'}: ${issue.message}`);
    throw new InvalidSettings(problems.join('; '));
  }
  const stated = Object.fromEntries(Object.entries(parsed.data).filter(([, value]) => value !== undefined));
  const settings: Settings = { ...current, ...stated };
  refuseSumsAboveOne(settings);
  return settings;
}

function refuseSumsAboveOne(settings: Settings): void {
  // Each request draws once for a fault and once for a finish reason, so the rates of a draw share one interval.
  const tolerance = 1e-9;
  const faults = FAULT_RATES.reduce((sum, [name]) => sum + settings[name], 0);
  if (faults > 1 + tolerance) {
    throw new InvalidSettings(`fault rates add up to ${faults}; a request has at most one fault, so keep the sum ≤ 1`);
  }
  const finishes = FINISH_RATES.reduce((sum, [name]) => sum + settings[name], 0);
  if (finishes > 1 + tolerance) {
    throw new InvalidSettings(`finish reason rates add up to ${finishes}; keep the sum ≤ 1`);
  }
}

/** The fault that each rate stands for, in the order in which they share the unit interval. */
export const FAULT_RATES = [
  ['rate_429', 429],
  ['rate_500', 500],
  ['rate_503', 503],
  ['rate_reset', 'reset'],
  ['rate_reset_mid_body', 'reset_mid_body'],
  ['rate_slow_body', 'slow_body'],
  ['rate_hang', 'hang'],
  ['rate_bad_json', 'bad_json'],
] as const satisfies readonly (readonly [keyof Settings, Fault])[];

/** The finish reason that each rate forces; vLLM's `abort` is not one of OpenAI's. */
export const FINISH_RATES = [
  ['rate_length', 'length'],
  ['rate_content_filter', 'content_filter'],
  ['rate_abort', 'abort'],
] as const satisfies readonly (readonly [keyof Settings, string])[];
export type ForcedFinish = (typeof FINISH_RATES)[number][1];
