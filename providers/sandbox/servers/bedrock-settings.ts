import { z } from 'zod';
import { streamSettings, usualStream } from './native-streams.ts';
import { callerSchema } from './s3-settings.ts';

const count = z.int().min(0);
const milliseconds = z.number().min(0);
const rate = z.number().min(0).max(1);

const faultSchema = z.strictObject({
  on: z.enum(['create', 'get', 'list', 'stop', 'converse', 'invoke', 'any']),
  /**
   * An error of AWS; or: the work is done and the connection reset (`lose_answer`), or reset at once (`reset`); no answer
   * (`hang`); a 200 with HTML, nothing or half of the answer; a job's status that nobody knows, or one from before.
   */
  fault: z.union([
    z.strictObject({
      name: z.string().min(1),
      status: z.int().min(400).max(599),
      message: z.string().default('A simulated failure.'),
      retry_after: z.string().nullable().default(null),
    }),
    z.enum([
      'lose_answer',
      'reset',
      'hang',
      'html',
      'empty',
      'truncated',
      'error_object',
      'unknown_status',
      'backward_status',
    ]),
  ]),
  /** How often; null is for ever. */
  times: z.int().positive().nullable().default(1),
});
export type BedrockFault = z.infer<typeof faultSchema>;

const settingsSchema = z.strictObject({
  region: z.string().min(1),
  account: z.string().regex(/^\d{12}$/),
  /** Whom it lets in; null: nobody is asked. */
  caller: callerSchema.nullable(),
  /** The role that jobs must name; any other fails at validation. null: any. */
  role_arn: z.string().nullable(),
  /** Models that may be named; null: any. */
  models: z.array(z.string().min(1)).nullable(),
  seed: count,

  /** From creation to the end; null: jobs move by `advance` alone. */
  job_ms: milliseconds.nullable(),
  /** From a stop to the end of Stopping. */
  stop_ms: milliseconds,
  /** Jobs stay in progress with this share of their records done; null lets them run. */
  stop_at: rate.nullable(),
  outcome: z.enum(['Completed', 'PartiallyCompleted', 'Expired', 'Failed']),
  /** What a job that fails says. */
  failure_message: z.string(),
  /** Share of records that run before a job is only partially completed. */
  partial_share: rate,
  records_min: count,
  records_max: count,
  /** Jobs that are submitted or in progress at once, a model. */
  max_jobs: count,
  slots_error: z.enum(['ServiceQuotaExceededException', 'ThrottlingException']),
  unique_names: z.boolean(),
  /** A job can be read only after so many attempts. */
  hidden_reads: count,
  tools_in_batch: z.boolean(),
  /** Jobs of type Converse are refused for models whose id contains one of these. */
  invoke_only: z.array(z.string().min(1)),

  /** Share of records that fail. */
  rate_record_error: rate,
  /** A record whose text contains this always fails so. */
  poison: z.array(
    z.strictObject({
      contains: z.string().min(1),
      error_code: z.union([z.int(), z.string()]).default(400),
      error_message: z.string().default('bad request'),
    }),
  ),
  /** The output leaves out so many records, repeats so many, and adds so many of other ids and so many bad lines. */
  output: z.strictObject({
    drop: count.default(0),
    repeat: count.default(0),
    stranger: count.default(0),
    garbage: count.default(0),
    /** Records without an id, and blank lines. */
    unnamed: count.default(0),
    blank: count.default(0),
    /** Also writes a file that is empty. */
    empty_file: z.boolean().default(false),
    files: z.int().positive().default(1),
    late_ms: milliseconds.default(0),
    manifest: z.boolean().default(true),
  }),
  counts: z.boolean(),
  /** Every answer's text is as long as that, in characters. */
  answer_length: z.int().positive().nullable(),
  /** Refuses every call, repeating the headers that it came with. */
  echo_headers: z.boolean(),
  usage: z.enum(['on', 'absent', 'zeros', 'cached']),
  finish: z.enum(['stop', 'length', 'content_filter']),

  /** How answers are streamed. */
  stream: streamSettings,
  latency_ms: milliseconds,
  /** Immediate calls at once; more are throttled. null: any number. */
  slots: z.int().positive().nullable(),
  faults: z.array(faultSchema),
});

export type BedrockSettings = z.infer<typeof settingsSchema>;
const changesSchema = settingsSchema.partial();
export type BedrockChanges = z.input<typeof changesSchema>;

const defaults: BedrockSettings = {
  region: 'us-east-1',
  account: '123456789012',
  caller: null,
  role_arn: null,
  models: null,
  seed: 1,
  job_ms: 100,
  stop_ms: 20,
  stop_at: null,
  outcome: 'Completed',
  failure_message: 'The job failed.',
  partial_share: 0.5,
  records_min: 100,
  records_max: 50_000,
  max_jobs: 20,
  slots_error: 'ServiceQuotaExceededException',
  unique_names: true,
  hidden_reads: 0,
  tools_in_batch: false,
  invoke_only: [],
  rate_record_error: 0,
  poison: [],
  output: {
    drop: 0,
    repeat: 0,
    stranger: 0,
    garbage: 0,
    unnamed: 0,
    blank: 0,
    empty_file: false,
    files: 1,
    late_ms: 0,
    manifest: true,
  },
  counts: true,
  answer_length: null,
  echo_headers: false,
  usage: 'on',
  finish: 'stop',
  stream: usualStream,
  latency_ms: 0,
  slots: null,
  faults: [],
};

/** `current` with the stated changes. Throws zod's error; unknown names are refused. */
export function changeBedrockSettings(changes: BedrockChanges, current: BedrockSettings = defaults): BedrockSettings {
  const stated = Object.entries(changesSchema.parse(changes)).filter(([, value]) => value !== undefined);
  return { ...current, ...Object.fromEntries(stated) };
}
