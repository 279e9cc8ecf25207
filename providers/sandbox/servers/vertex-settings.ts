import { z } from 'zod';
import { streamSettings, usualStream } from './native-streams.ts';
import { InvalidSettings } from './settings.ts';

const count = z.int().min(0);

/** What happens to a request instead of, or after, its ordinary handling. */
const faultSchema = z.strictObject({
  /** Regular expression over `METHOD path?query`. */
  on: z.string().min(1),
  /**
   * A status: refused with it. `reset`: cut before anything is done. `lost`: done, then cut. `half`: half of a chunk is
   * stored, or half of an answer sent, then cut. `short`: half of an answer of unstated length, as if it were whole. `html`, `empty`, `truncated`, `error`: a 200 that is none. `echo`: a 400 that repeats the headers. `hang`: no answer.
   */
  fault: z.union([
    z.int().min(300).max(599),
    z.enum(['reset', 'lost', 'half', 'short', 'html', 'empty', 'truncated', 'error', 'hang', 'echo']),
  ]),
  times: z.int().positive().default(1),
  /** Requests that it lets pass first. */
  skip: count.default(0),
  retry_after: z.string().optional(),
  message: z.string().optional(),
  /** Google's word for a status, where another than the usual one is meant. */
  word: z.string().optional(),
});

const schema = z.strictObject({
  seed: count,
  /** Milliseconds that a job stays in each state; null leaves it to `advance()`. */
  job_ms: z.number().min(0).nullable(),
  /** What the next poll says of a job's state, whatever it is. */
  next_state: z.string().nullable(),
  /** Jobs stop before this state; null lets them go on. */
  hold_before: z.string().nullable(),
  /** The states a job goes through; any word, so that unknown ones can be tried. */
  states: z.array(z.string().min(1)).min(1),
  /** The `error` of a job that fails. */
  job_error: z.strictObject({ code: count, message: z.string() }),
  /** Jobs that may run at once; more are refused with 429. */
  job_slots: z.int().positive().nullable(),
  /** Polls that do not find a new job. */
  hidden_gets: count,
  /** Polls of an ended job that name no output yet. */
  late_output: count,
  /** Listings that do not show the output yet. */
  hidden_listings: count,
  output_shards: z.int().positive().max(50),
  /** Names the output directory somewhere else. */
  foreign_output: z.string().nullable(),
  /** A row whose request contains the text fails. */
  fail_rows: z.array(z.strictObject({ contains: z.string().min(1), status: z.string().min(1) })),
  /** What is wrong with the rows, each over all of them unless it says otherwise. */
  rows: z.strictObject({
    without_keys: z.boolean().default(false),
    without_labels: z.boolean().default(false),
    swapped_echoes: z.boolean().default(false),
    duplicated: z.boolean().default(false),
    missing_last: count.default(0),
    truncated_last: z.boolean().default(false),
    garbage: z.array(z.string()).default([]),
    /** Besides the due rows: one twice, one of nobody's, one without a key, one that is no JSON, a blank one. */
    odd: z.boolean().default(false),
  }),
  usage: z.enum(['on', 'absent', 'zeros', 'cached']),
  /** Tokens of thought in every answer of a model that thinks. */
  thoughts: count,
  /** Forces a finish reason. */
  finish: z.string().nullable(),
  /** Every answer's text has at least so many characters. */
  answer_characters: count,
  /** A prompt that contains the text is blocked. */
  block: z.string().nullable(),
  /** How answers are streamed. */
  stream: streamSettings,
  token_seconds: z.number().positive(),
  ignore_range: z.boolean(),
  list_page: z.int().positive(),
  faults: z.array(faultSchema),
});

/** Everything about a simulated Vertex AI that can be changed while it runs. */
export type VertexSimulation = z.infer<typeof schema>;
export type VertexFault = VertexSimulation['faults'][number];
export type VertexChanges = z.input<ReturnType<typeof schema.partial>>;

export const defaultSimulation: VertexSimulation = {
  seed: 1,
  job_ms: 0,
  next_state: null,
  hold_before: null,
  states: ['JOB_STATE_QUEUED', 'JOB_STATE_PENDING', 'JOB_STATE_RUNNING', 'JOB_STATE_SUCCEEDED'],
  job_error: { code: 3, message: 'Failed to import data: the input is not valid.' },
  job_slots: null,
  hidden_gets: 0,
  late_output: 0,
  hidden_listings: 0,
  output_shards: 1,
  foreign_output: null,
  fail_rows: [],
  rows: schema.shape.rows.parse({}),
  usage: 'on',
  thoughts: 0,
  finish: null,
  answer_characters: 0,
  block: null,
  stream: usualStream,
  token_seconds: 3599,
  ignore_range: false,
  list_page: 1000,
  faults: [],
};

/** `current` with the stated changes. Throws InvalidSettings, which names each field and what is wrong with it. */
export function changeSimulation(changes: VertexChanges, current: VertexSimulation): VertexSimulation {
  const parsed = schema.partial().safeParse(changes);
  if (parsed.success) {
    const stated = Object.fromEntries(Object.entries(parsed.data).filter(([, value]) => value !== undefined));
    return { ...current, ...stated };
  }
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'options'}: ${issue.message}`);
  throw new InvalidSettings(problems.join('; '));
}
