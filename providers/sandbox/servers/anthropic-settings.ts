import { z } from 'zod';
import { streamSettings, usualStream } from './native-streams.ts';
import { InvalidSettings } from './settings.ts';

const rate = z.number().min(0).max(1);
const count = z.int().min(0);

/** Calls that a fault may be aimed at. */
export const anthropicCalls = [
  'messages',
  'create',
  'retrieve',
  'list',
  'cancel',
  'results',
  'delete',
  'models',
] as const;
export type AnthropicCall = (typeof anthropicCalls)[number];

const settingsShape = {
  /** Key that is demanded, in `x-api-key` or as a bearer; null lets everyone in. */
  api_key: z.string().min(1).nullable(),
  models: z.array(z.string().min(1)).min(1),
  seed: count,
  /** How long a message takes, and how long a batch is in progress or canceling. */
  latency_ms: count,
  job_ms: count,
  /** Batches stay in progress; `half` lets half of their requests be done first. */
  hold: z.union([z.boolean(), z.literal('half')]),
  /** Limits of the create call. */
  max_requests: count,
  max_bytes: count,
  /** Requests that may be in the processing queue; null is no limit. */
  queue_limit: count.nullable(),

  /** What the next `fail_count` calls of `fail_on` meet: a status, or a way in which an answer goes wrong. */
  fail_on: z.enum([...anthropicCalls, 'any']),
  fail_with: z
    .union([
      z.int().min(300).max(599),
      z.enum(['reset', 'hang', 'lost_answer', 'html', 'empty', 'truncated', 'error_object', 'echo']),
    ])
    .nullable(),
  fail_count: count.nullable(),
  /** Error of a failed call; null takes the usual one of the status. */
  fail_type: z.string().nullable(),
  fail_message: z.string().nullable(),
  /** Seconds of `retry-after` on failed calls. */
  retry_after: z.string().nullable(),
  /** `location` of a status 3xx. */
  location: z.string().nullable(),

  /** Share of the requests of a batch that end as errored, by their custom_id; and with what. */
  rate_errored: rate,
  errored_type: z.string(),
  errored_message: z.string(),
  usage: z.enum(['on', 'absent', 'zeros', 'cached']),
  /** Forced stop reason; null lets the request decide. */
  stop_reason: z.enum(['max_tokens', 'refusal', 'pause_turn', 'model_context_window_exceeded']).nullable(),
  /** Length of each answer's text, in characters; null takes an invented one. */
  answer_characters: count.nullable(),

  /** Word that the next retrieve calls answer with instead of the true one; null tells the truth. */
  status_word: z.string().nullable(),
  status_word_count: count,
  /** Retrieve calls that say `ended` without a results_url. */
  late_results: count,
  /** Origin of results_url; null is the server's own. */
  results_origin: z.string().nullable(),
  /** Results of every batch are gone: 29 days are over. */
  archived: z.boolean(),
  /** The next download ends early, with its length announced or not. */
  cut_results: z.enum(['announced', 'unannounced']).nullable(),
  /** How messages are streamed. */
  stream: streamSettings,
  /** Results hold one key twice, one that is nobody's, a line without one, one that is no JSON, and blank lines. */
  odd_lines: z.boolean(),
};

const settingsSchema = z.strictObject(settingsShape);
export type AnthropicServerSettings = z.infer<typeof settingsSchema>;
export type AnthropicChanges = Partial<z.input<typeof settingsSchema>>;

const defaults: AnthropicServerSettings = {
  api_key: null,
  models: ['claude-haiku-4-5', 'claude-sonnet-4-5', 'claude-opus-4-6', 'claude-3-haiku-20240307'],
  seed: 1,
  latency_ms: 0,
  job_ms: 0,
  hold: false,
  max_requests: 100_000,
  max_bytes: 256_000_000,
  queue_limit: null,
  fail_on: 'any',
  fail_with: null,
  fail_count: null,
  fail_type: null,
  fail_message: null,
  retry_after: null,
  location: null,
  rate_errored: 0,
  errored_type: 'api_error',
  errored_message: 'Internal server error',
  usage: 'on',
  stop_reason: null,
  answer_characters: null,
  status_word: null,
  status_word_count: 0,
  late_results: 0,
  results_origin: null,
  archived: false,
  cut_results: null,
  stream: usualStream,
  odd_lines: false,
};

/** `current` with the stated changes. Throws InvalidSettings; unknown names are refused. */
export function changeAnthropicSettings(changes: unknown, current = defaults): AnthropicServerSettings {
  const parsed = settingsSchema.partial().safeParse(changes);
  if (parsed.success) return { ...current, ...(parsed.data as AnthropicServerSettings) };
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'options'}: ${issue.message}`);
  throw new InvalidSettings(problems.join('; '));
}
