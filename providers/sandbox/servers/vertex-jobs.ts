import { isRecord } from './answer.ts';
import { Answered } from './answered.ts';
import type { ObjectStore } from './gcs-objects.ts';
import { type GoogleAnswer, googleError } from './gcs-routes.ts';
import type { Body } from './vertex-answers.ts';
import { writeOutput } from './vertex-rows.ts';
import type { VertexSimulation } from './vertex-settings.ts';

const projectNumber = '123456789012';
const ended = new Set(
  ['SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED', 'PARTIALLY_SUCCEEDED'].map((word) => `JOB_STATE_${word}`),
);

interface Job {
  name: string;
  request: Body;
  createdAtMs: number;
  /** Where in `states` it is. */
  step: number;
  /** Set when somebody cancelled it. */
  cancelledAtStep: number | null;
  states: readonly string[];
  gets: number;
  endedGets: number;
  /** The lines of its input as they were when it began to run, as far as it was looked at then. */
  input: string | null;
  output: Body | null;
  isForeign: boolean;
}

function newJob(name: string, request: Body, states: readonly string[]): Job {
  const progress = { step: 0, cancelledAtStep: null, gets: 0, endedGets: 0, input: null, output: null };
  return { name, request, createdAtMs: Date.now(), states, isForeign: false, ...progress };
}

/** batchPredictionJobs of one project: states over time or step by step, output at the end. */
export class SimulatedJobs {
  /** Good answers, of calls and of jobs: of those that were looked at when they had ended, as their output is written then. */
  answered = new Answered();
  readonly #store: ObjectStore;
  readonly #jobs = new Map<string, Job>();
  #lastId = 5_100_000_000_000_000_000n;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  get all(): readonly Body[] {
    return [...this.#jobs.values()].map(({ request, name }) => ({ name, ...request }));
  }

  create(location: string, body: unknown, settings: VertexSimulation): GoogleAnswer {
    const problem = problemOf(body);
    if (problem !== null || !isRecord(body)) return googleError(400, 'INVALID_ARGUMENT', problem ?? 'Bad job.');
    const running = [...this.#jobs.values()].filter((job) => !ended.has(this.#advance(job, settings)));
    if (settings.job_slots !== null && running.length >= settings.job_slots) {
      const message = 'Quota exceeded for aiplatform.googleapis.com/batch_prediction_concurrent_jobs.';
      return googleError(429, 'RESOURCE_EXHAUSTED', message);
    }
    this.#lastId += 1n;
    const name = `projects/${projectNumber}/locations/${location}/batchPredictionJobs/${this.#lastId}`;
    const job = newJob(name, body, settings.states);
    this.#jobs.set(name, job);
    return { status: 200, body: this.#describe(job, settings) };
  }

  get(name: string, settings: VertexSimulation): GoogleAnswer {
    const job = this.#find(name);
    if (job !== undefined) job.gets += 1;
    if (job === undefined || job.gets <= settings.hidden_gets) return this.#missing(name);
    const forced = settings.next_state;
    settings.next_state = null;
    if (forced !== null) return { status: 200, body: { ...job.request, name, state: forced } };
    if (ended.has(this.#advance(job, settings))) job.endedGets += 1;
    return { status: 200, body: this.#describe(job, settings) };
  }

  list(url: URL, settings: VertexSimulation): GoogleAnswer {
    const filter = url.searchParams.get('filter') ?? '';
    const found = [...this.#jobs.values()].filter((job) => matches(job.request, filter)).reverse();
    const start = Number(url.searchParams.get('pageToken') ?? 0);
    const size = Math.min(Number(url.searchParams.get('pageSize') ?? 100), settings.list_page);
    const page = found.slice(start, start + size).map((job) => this.#describe(job, settings));
    const next = start + size < found.length ? { nextPageToken: String(start + size) } : {};
    return { status: 200, body: { ...(page.length > 0 && { batchPredictionJobs: page }), ...next } };
  }

  cancel(name: string, settings: VertexSimulation): GoogleAnswer {
    const job = this.#find(name);
    if (job === undefined) return this.#missing(name);
    if (ended.has(this.#advance(job, settings))) {
      return googleError(400, 'FAILED_PRECONDITION', 'The job is in a terminal state and cannot be cancelled.');
    }
    job.cancelledAtStep = job.step;
    job.states = [...job.states.slice(0, job.step + 1), 'JOB_STATE_CANCELLING', 'JOB_STATE_CANCELLED'];
    return { status: 200, body: {} };
  }

  /** Ends every job that has not ended, in a state of its own. */
  endAll(state: string): void {
    for (const job of this.#jobs.values()) {
      if (ended.has(job.states[job.step] ?? '')) continue;
      job.states = [...job.states.slice(0, job.step + 1), state];
      job.step = job.states.length - 1;
    }
  }

  /** Jobs made through the API. */
  get count(): number {
    return [...this.#jobs.values()].filter(({ isForeign }) => !isForeign).length;
  }

  /** Puts a job there that another program made. */
  addForeign(): void {
    this.#lastId += 1n;
    const name = `projects/${projectNumber}/locations/us-central1/batchPredictionJobs/${this.#lastId}`;
    const request = {
      displayName: 'nightly',
      model: 'publishers/google/models/gemini-2.5-flash',
      labels: { team: 'other' },
    };
    this.#jobs.set(name, { ...newJob(name, request, ['JOB_STATE_RUNNING']), isForeign: true });
  }

  /** Jobs that have not ended, as far as they were looked at. */
  get live(): number {
    return [...this.#jobs.values()].filter((job) => !job.isForeign && !ended.has(job.states[job.step] ?? '')).length;
  }

  /** Takes every job one state further. */
  advance(): void {
    for (const job of this.#jobs.values()) job.step = Math.min(job.step + 1, job.states.length - 1);
  }

  /** The service names projects by number, and takes them by id as well. */
  #find(name: string): Job | undefined {
    return this.#jobs.get(name.replace(/^projects\/[^/]+/, `projects/${projectNumber}`));
  }

  #missing(name: string): GoogleAnswer {
    return googleError(404, 'NOT_FOUND', `The BatchPredictionJob "${name}" does not exist.`);
  }

  #advance(job: Job, settings: VertexSimulation): string {
    if (settings.job_ms !== null) {
      const steps = settings.job_ms === 0 ? job.gets : Math.floor((Date.now() - job.createdAtMs) / settings.job_ms);
      const held = job.cancelledAtStep === null ? job.states.indexOf(settings.hold_before ?? '') : -1;
      const last = held < 0 ? job.states.length - 1 : Math.max(0, held - 1);
      job.step = Math.max(job.step, Math.min(steps, last));
    }
    return job.states[job.step] ?? 'JOB_STATE_UNSPECIFIED';
  }

  #describe(job: Job, settings: VertexSimulation): Body {
    const state = this.#advance(job, settings);
    const time = new Date(job.createdAtMs).toISOString();
    if (state === 'JOB_STATE_RUNNING') job.input ??= this.#inputOf(job);
    const common = { name: job.name, ...job.request, state, createTime: time, updateTime: time };
    if (!ended.has(state)) return common;
    if (state === 'JOB_STATE_FAILED') return { ...common, endTime: time, error: settings.job_error };
    job.output ??= this.#write(job, state, settings);
    const { outputInfo, ...stats } = job.output;
    const isShown = outputInfo !== undefined && job.endedGets > settings.late_output;
    return { ...common, startTime: time, endTime: time, ...stats, ...(isShown && { outputInfo }) };
  }

  #inputOf(job: Job): string {
    if (job.isForeign) return '';
    const { bucket, name } = readPlace(job.request, 'inputConfig');
    return this.#store.get(bucket, name)?.bytes.toString() ?? '';
  }

  #write(job: Job, state: string, settings: VertexSimulation): Body {
    const hasRun = job.states.slice(0, (job.cancelledAtStep ?? job.step) + 1).includes('JOB_STATE_RUNNING');
    const share = state === 'JOB_STATE_SUCCEEDED' ? 1 : hasRun ? 0.5 : 0;
    if (share === 0) return {};
    const output = readPlace(job.request, 'outputConfig');
    const model = String(job.request.model).replace(/^.*\//, '');
    const input = job.input ?? this.#inputOf(job);
    const written = writeOutput(model, job.request, input, share, settings, this.answered);
    const directory = `${output.name}/prediction-model-${new Date(job.createdAtMs).toISOString()}`;
    for (const { name, text } of written.files) {
      this.#store.put(output.bucket, `${directory}/${name}`, Buffer.from(text), settings.hidden_listings);
    }
    const { succeeded, failed, incomplete } = written;
    return {
      outputInfo: { gcsOutputDirectory: settings.foreign_output ?? `gs://${output.bucket}/${directory}` },
      completionStats: {
        successfulCount: String(succeeded),
        ...(failed > 0 && { failedCount: String(failed) }),
        incompleteCount: share === 1 ? '-1' : String(incomplete),
      },
    };
  }
}

function problemOf(body: unknown): string | null {
  if (!isRecord(body)) return 'Invalid JSON payload received.';
  const { displayName, model, labels } = body;
  if (typeof displayName !== 'string' || displayName === '' || displayName.length > 128)
    return 'display_name is required.';
  if (typeof model !== 'string' || !/^publishers\/(google|anthropic)\/models\/[\w.@-]+$/.test(model))
    return 'Invalid model.';
  const values = isRecord(labels) ? Object.entries(labels) : [];
  const isLabelled = values.every(
    ([name, text]) => /^[a-z][a-z0-9_-]{0,62}$/.test(name) && /^[a-z0-9_-]{0,63}$/.test(String(text)),
  );
  if (!isLabelled) return 'Invalid labels.';
  for (const place of ['inputConfig', 'outputConfig'] as const) {
    if (readPlace(body, place).bucket === '') return `${place} must name a place in Cloud Storage.`;
  }
  return null;
}

function readPlace(job: Body, member: 'inputConfig' | 'outputConfig'): { bucket: string; name: string } {
  const config = isRecord(job[member]) ? job[member] : {};
  const source = isRecord(config.gcsSource) ? config.gcsSource : {};
  const target = isRecord(config.gcsDestination) ? config.gcsDestination : {};
  const uri: unknown =
    member === 'inputConfig' ? (Array.isArray(source.uris) ? source.uris[0] : undefined) : target.outputUriPrefix;
  const [, bucket = '', name = ''] = /^gs:\/\/([^/]+)\/(.+)$/.exec(String(uri)) ?? [];
  return { bucket, name };
}

/** `display_name="…"`, `labels.x="…"` and `labels.x:*`. */
function matches(job: Body, filter: string): boolean {
  if (filter === '') return true;
  const [, path = '', value = '*'] = /^([\w.]+)(?:="([^"]*)"|:\*)$/.exec(filter) ?? [];
  const labels = isRecord(job.labels) ? job.labels : {};
  const actual = path === 'display_name' ? job.displayName : labels[path.replace(/^labels\./, '')];
  return value === '*' ? actual !== undefined : actual === value;
}
