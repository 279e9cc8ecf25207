import { z } from 'zod';
import { InvalidSettings, type SettingsChanges } from './settings.ts';

const count = z.int().min(0);
const milliseconds = z.number().min(0);

/** What is asked of the service; `any` is all of it. */
const operations = ['upload', 'file', 'files', 'delete', 'content', 'create', 'poll', 'list', 'cancel', 'any'] as const;

const faultSchema = z.strictObject({
  on: z.enum(operations),
  /**
   * An HTTP error status; or: the work is done and the connection reset (`lose_answer`); a 200 with `html`, nothing (`empty`), half of
   * the answer (`truncated`) or an error object (`error_object`); a content `cut` at 30 % of its announced length, `shorten`ed to
   * it without one, with other bytes (`change`), or compressed and with a wrong charset (`gzip`); a poll with a word that nobody knows (`unknown_status`) or from before
   * (`backward_status`); 429 with Retry-After (`rate_limit`); the queue's refusal (`quota`); 400 that repeats all headers (`echo`).
   */
  fault: z.union([
    z.int().min(400).max(599),
    z.enum([
      'lose_answer',
      'html',
      'empty',
      'truncated',
      'error_object',
      'cut',
      'shorten',
      'change',
      'gzip',
      'unknown_status',
      'backward_status',
      'rate_limit',
      'quota',
      'echo',
    ]),
  ]),
  /** How often; null is for ever. */
  times: z.int().positive().nullable().default(1),
});
export type BatchFault = z.infer<typeof faultSchema>;
export type Operation = (typeof operations)[number];

const shape = {
  /** Whose words and ways: OpenAI's, Azure's, Together's, Mistral's. */
  flavour: z.enum(['openai', 'azure', 'together', 'mistral']),
  api_key: z.string().min(1).nullable(),
  /** Models or deployments that batches may name; null is any. */
  models: z.array(z.string().min(1)).min(1).nullable(),
  /** Settings of the server that answers the lines, and the immediate calls. */
  answers: z.looseObject({}),

  /** From creation to the end: a fifth of it validating, the last fifth finalizing. */
  job_ms: milliseconds,
  cancel_ms: milliseconds,
  /** How long a file is pending, for those that await it. */
  file_ms: milliseconds,
  /** Batches stay in progress with this share of their lines done; null lets them run. */
  stop_at: z.number().min(0).max(1).nullable(),

  max_lines: count,
  max_file_bytes: count,
  /** Input files held at once; those that expire by themselves have twenty times as many places (Azure: 500 and 10,000). */
  max_files: count.nullable(),
  /** Tokens queued at once, as a quarter of the bytes. */
  enqueued_tokens: count.nullable(),
  /** A full queue refuses the create call, or the batch fails later. */
  token_limit: z.enum(['fail_fast', 'later']),
  /** The account has no money left: new batches fail. */
  unpaid: z.boolean(),

  /** 1-based lines that validation refuses. */
  refuse_lines: z.array(z.int().positive()),
  /** A line that contains the text is answered with the status. */
  line_faults: z.array(z.strictObject({ contains: z.string(), status: z.int().min(400).max(599) })),
  /** Adds to the output: a key twice, a stranger's key, a line without one, an unreadable line, blank lines. */
  odd_lines: z.boolean(),
  /** Every answer's text is this long at least. */
  answer_bytes: count,

  /** Polls that say that a batch is over before its file ids are there. */
  late_output_polls: count,
  /** Missing file ids are `""`. */
  empty_ids: z.boolean(),
  /** Capital status words and ISO times, as in Azure's REST samples. */
  old_style: z.boolean(),
  /** Ranges of contents are served; otherwise the whole is sent. */
  ranges: z.boolean(),
  faults: z.array(faultSchema),
};

const settingsSchema = z.strictObject(shape);
const changesSchema = settingsSchema.partial();

/** Everything about the simulated batch service that can be changed while it runs. */
export type BatchSettings = z.output<typeof settingsSchema>;
export type BatchSettingsChanges = Omit<z.input<typeof changesSchema>, 'answers'> & { answers?: SettingsChanges };

export const batchDefaults: BatchSettings = {
  flavour: 'openai',
  api_key: null,
  models: null,
  answers: {},
  job_ms: 0,
  cancel_ms: 0,
  file_ms: 0,
  stop_at: null,
  max_lines: 50_000,
  max_file_bytes: 209_715_200,
  max_files: null,
  enqueued_tokens: null,
  token_limit: 'later',
  unpaid: false,
  refuse_lines: [],
  line_faults: [],
  odd_lines: false,
  answer_bytes: 0,
  late_output_polls: 0,
  empty_ids: false,
  old_style: false,
  ranges: true,
  faults: [],
};

/** `current` with the stated changes. Throws InvalidSettings; unknown names are refused. */
export function changeBatchSettings(changes: unknown, current: BatchSettings): BatchSettings {
  const parsed = changesSchema.safeParse(changes);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'options'}: ${issue.message}`);
    throw new InvalidSettings(problems.join('; '));
  }
  const stated = Object.fromEntries(Object.entries(parsed.data).filter(([, value]) => value !== undefined));
  return { ...current, ...stated };
}
