import type { Failure } from '../../src/core/failure.ts';
import type { BatchCall, Progress, ProviderRefs } from '../contract.ts';
import { isFields } from '../shared/error-body.ts';
import type { GoogleClient } from '../shared/google-auth-fetch.ts';
import { failureOf, failureOfCreate, failureOfStatus, jobEndOf } from './status.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The label that carries a shard's token; resource labels take [a-z0-9_-]. */
export const tokenLabel = 'weir_token';

/** What the service says of a job. */
export interface Job {
  /** `projects/<number>/locations/<location>/batchPredictionJobs/<id>` */
  name: string;
  token: string | null;
  state: string;
  /** Unix seconds. */
  createdAt: number;
  endedAt: number | null;
  outputDirectory: string | null;
  fields: Fields;
}

/** The job service of one project and location (google.cloud.aiplatform.v1.JobService) over REST. */
export class JobService {
  readonly #client: GoogleClient;
  readonly #url: string;
  readonly #jobsUrl: string;

  constructor(client: GoogleClient, serviceUrl: string, parent: string) {
    this.#client = client;
    this.#url = `${serviceUrl}/v1`;
    this.#jobsUrl = `${this.#url}/${parent}/batchPredictionJobs`;
  }

  async create(job: object, call: BatchCall): Promise<Job | null> {
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', url: this.#jobsUrl, headers, body: JSON.stringify(job) } as const;
    return readJob(await this.#client.json(request, call, failureOfCreate));
  }

  async get(name: string, call: BatchCall): Promise<Job | null> {
    return readJob(await this.#client.json({ method: 'GET', url: `${this.#url}/${name}` }, call, failureOf));
  }

  /** All jobs that a filter finds, over all pages. */
  async *list(filter: string, call: BatchCall): AsyncGenerator<Job> {
    for (let pageToken: string | null = ''; pageToken !== null; ) {
      const query = new URLSearchParams({ filter, pageSize: '100', ...(pageToken !== '' && { pageToken }) });
      const page = await this.#client.json({ method: 'GET', url: `${this.#jobsUrl}?${query}` }, call, failureOf);
      const { batchPredictionJobs: jobs, nextPageToken } = isFields(page) ? page : {};
      for (const one of Array.isArray(jobs) ? jobs : []) {
        const job = readJob(one);
        if (job !== null) yield job;
      }
      pageToken = typeof nextPageToken === 'string' && nextPageToken !== '' ? nextPageToken : null;
    }
  }

  /** Asks a job to stop; the service answers before it has. */
  async cancel(name: string, call: BatchCall): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', url: `${this.#url}/${name}:cancel`, headers, body: '{}' } as const;
    await this.#client.json(request, call, failureOf);
  }
}

const namePattern = /^projects\/[\w.:-]+\/locations\/[\w-]+\/batchPredictionJobs\/\d+$/;

/** True for what may be put into a path: the service's own form of a job's name. */
export function isJobName(name: string): boolean {
  return namePattern.test(name);
}

function readJob(value: unknown): Job | null {
  if (!isFields(value) || typeof value.name !== 'string' || !isJobName(value.name)) return null;
  const { labels, outputInfo, state } = value;
  const token = isFields(labels) ? labels[tokenLabel] : undefined;
  const directory = isFields(outputInfo) ? outputInfo.gcsOutputDirectory : undefined;
  return {
    name: value.name,
    token: typeof token === 'string' ? token : null,
    state: typeof state === 'string' ? state : 'JOB_STATE_UNSPECIFIED',
    createdAt: secondsOf(value.createTime) ?? 0,
    endedAt: secondsOf(value.endTime),
    outputDirectory: typeof directory === 'string' && directory !== '' ? directory : null,
    fields: value,
  };
}

function secondsOf(time: unknown): number | null {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? null : Math.floor(ms / 1000);
}

/** A job as progress. A job that ended well but names no output yet is not taken for ended. */
export function progressOf(job: Job, context: { provider: string; nowMs: number }): Progress {
  const end = jobEndOf(job.state);
  const stated = failureOfStatus(job.fields.error, { ...context, secrets: [] });
  const isFull = stated?.kind === 'rate_limited';
  const failure: Failure | null = isFull ? { ...stated, kind: 'quota_full', code: 'quota_full' } : stated;
  const counts = countsOf(job.fields.completionStats);
  const { state: raw, endedAt, fields: details } = job;
  const common = { raw, counts, lines: [], refs: refsOf(job, counts), details, endedAt };
  if (end.state === 'running') return { ...end, failure: null, ...common };
  if (job.outputDirectory !== null) return { ...end, state: 'ended', failure, ...common };
  if (end.reason === 'completed') return { state: 'running', reason: null, failure: null, ...common };
  return { ...end, failure: end.state === 'failed' ? (failure ?? unexplained(context)) : failure, ...common };
}

function unexplained({ provider }: { provider: string }) {
  const status = { code: 13, message: `${provider} failed the job without saying why.` };
  return failureOfStatus(status, { provider, secrets: [], nowMs: 0 });
}

function refsOf(job: Job, counts: Progress['counts']): ProviderRefs {
  return {
    job: job.name,
    ...(job.outputDirectory !== null && { output_directory: job.outputDirectory }),
    ...(job.outputDirectory !== null && counts !== null && { succeeded_rows: String(counts.succeeded) }),
  };
}

/** CompletionStats are int64 as text; `incompleteCount` is -1 when it is not known. */
function countsOf(stats: unknown): Progress['counts'] {
  if (!isFields(stats)) return null;
  const succeeded = countOf(stats.successfulCount);
  const failed = countOf(stats.failedCount);
  if (succeeded === null || failed === null) return null;
  return { total: succeeded + failed + (countOf(stats.incompleteCount) ?? 0), succeeded, failed };
}

/** Absent means zero, as everywhere in protobuf's JSON; anything else that is no count is unknown. */
function countOf(value: unknown): number | null {
  if (value === undefined) return 0;
  const count = Number(value);
  return Number.isSafeInteger(count) && count >= 0 ? count : null;
}
