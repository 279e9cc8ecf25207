import { refusal } from '../../src/core/failure.ts';
import {
  type BatchApi,
  type BatchCall,
  type BatchLimits,
  type BatchPlace,
  type BatchProbe,
  type BatchResult,
  type NativeRequest,
  type Progress,
  type ProviderBatch,
  ProviderError,
  type ProviderRefs,
  type RemoteObject,
  type ShardInput,
} from '../contract.ts';
import { isFields } from '../shared/error-body.ts';
import { GcsBucket } from '../shared/gcs.ts';
import type { GoogleTokens } from '../shared/google-auth.ts';
import { foreignAddress, GoogleClient } from '../shared/google-auth-fetch.ts';
import { is404 } from '../shared/is-404.ts';
import { badResponse } from '../shared/openai-status.ts';
import { serviceUrl, type VertexSettings } from './config.ts';
import { endpoints } from './convert.ts';
import { createBody } from './create-body.ts';
import { isJobName, type Job, JobService, progressOf, tokenLabel } from './jobs.ts';
import { type Family, familyOf } from './models.ts';
import { readOutput } from './output.ts';
import { probeBucket } from './probe.ts';
import { toInputLine } from './rows.ts';
import { jobEndOf } from './status.ts';

/** Google Cloud, "Batch inference with Gemini", quotas: requests per job and bytes of its input file. */
export const batchLimits: BatchLimits = {
  lines: 200_000,
  linesMin: null,
  bytes: 1_000_000_000,
  lineBytes: null,
  jobs: null,
  enqueuedTokens: null,
};

/** A new job may not be there yet for whoever asks next. */
const notFoundGraceMs = 600_000;

/** Batch mode: a file in Cloud Storage, a batchPredictionJob, files in Cloud Storage. */
export class VertexBatches implements BatchApi {
  readonly limits = batchLimits;
  readonly place: BatchPlace;
  readonly #provider: string;
  readonly #folder: string;
  readonly #jobs: JobService;
  readonly #bucket: GcsBucket;
  readonly #bucketNamed: (name: string) => GcsBucket;

  constructor(provider: string, settings: VertexSettings, bucket: string, tokens: GoogleTokens) {
    const client = new GoogleClient(provider, tokens);
    const parent = `projects/${settings.project}/locations/${settings.location}`;
    this.#provider = provider;
    const storage = settings.storage_endpoint.replace(/\/+$/, '');
    this.place = { name: `${parent} at ${serviceUrl(settings)} with ${storage}`, account: () => '' };
    this.#folder = `${settings.prefix}/`;
    this.#jobs = new JobService(client, serviceUrl(settings), parent);
    this.#bucketNamed = (name) => new GcsBucket(client, settings.storage_endpoint, name);
    this.#bucket = this.#bucketNamed(bucket);
  }

  line(key: string, request: NativeRequest): string {
    return toInputLine(key, this.#familyOf(request.model), request.body);
  }

  async submit(input: ShardInput, call: BatchCall): Promise<ProviderBatch> {
    const folder = `${this.#folder}${input.token}`;
    const place = {
      input_uri: this.#bucket.uri(`${folder}/input.jsonl`),
      output_prefix: this.#bucket.uri(`${folder}/output`),
    };
    const body = createBody(input, this.#familyOf(input.model).kind, place);
    const submittedAt = String(Math.floor(call.nowMs / 1000));
    const known = { ...place, model: input.model, endpoint: input.endpoint, submitted_at: submittedAt };
    await call.saved(known);
    await this.#bucket.upload(`${folder}/input.jsonl`, () => input.open(), call);
    const job = await this.#jobs.create(body, call);
    if (job === null) throw this.#noJob();
    await call.saved({ job: job.name });
    return { id: job.name, refs: { ...known, job: job.name } };
  }

  /** A create call that was sent twice may have made two jobs: the older one is the token's. */
  async find(token: string, refs: ProviderRefs, call: BatchCall): Promise<ProviderBatch | null> {
    const found: Job[] = [];
    for await (const job of this.#jobs.list(`display_name="weir-${token}"`, call)) {
      if (job.token === token) found.push(job);
    }
    const [first] = found.sort((left, right) => left.createdAt - right.createdAt || (left.name < right.name ? -1 : 1));
    if (first === undefined) return null;
    return { id: first.name, refs: { ...refs, model: modelOf(first), job: first.name } };
  }

  async poll(batch: ProviderBatch, call: BatchCall): Promise<Progress> {
    try {
      return progressOf(await this.#get(batch, call), { provider: this.#provider, nowMs: call.nowMs });
    } catch (error) {
      const submittedMs = Number(batch.refs.submitted_at ?? 0) * 1000;
      const isNew = call.nowMs - submittedMs < notFoundGraceMs;
      if (!isNew || !is404(error)) throw error;
      const unknown = { counts: null, failure: null, lines: [], refs: {}, details: null };
      return { state: 'running', reason: null, raw: 'not_found', ...unknown };
    }
  }

  async *results(batch: ProviderBatch, call: BatchCall): AsyncGenerator<BatchResult> {
    const { refs } = batch;
    const isKnown = refs.output_directory !== undefined && refs.model !== undefined;
    const job = isKnown ? null : await this.#get(batch, call);
    const directory = refs.output_directory ?? job?.outputDirectory ?? null;
    const model = refs.model ?? (job === null ? '' : modelOf(job));
    // A job that was stopped before it began has written nothing.
    if (directory === null) return;
    const { bucket, folder } = this.#placeOf(refs) ?? { bucket: this.#bucket, folder: this.#folder };
    const name = bucket.nameOf(directory, folder);
    if (name === null) throw foreignAddress(this.#provider, 'an output directory');
    const expectedRows = refs.succeeded_rows === undefined ? null : Number(refs.succeeded_rows);
    const context = { provider: this.#provider, secrets: [], nowMs: call.nowMs, model, requestId: null };
    const { kind } = this.#familyOf(model);
    const endpoint =
      endpoints.find((one) => one === refs.endpoint) ??
      (kind === 'embedding' ? '/v1/embeddings' : '/v1/chat/completions');
    const output = { prefix: `${name.replace(/\/+$/, '')}/`, kind, endpoint, context, expectedRows };
    yield* readOutput(bucket, output, call);
  }

  async cancel(batch: ProviderBatch, call: BatchCall): Promise<void> {
    if (!isJobName(batch.id)) throw foreignAddress(this.#provider, 'a job');
    try {
      await this.#jobs.cancel(batch.id, call);
    } catch (error) {
      // A job that has ended answers 400 FAILED_PRECONDITION.
      const isRefused = error instanceof ProviderError && error.failure.status === 400;
      if (!isRefused || isLive(await this.#get(batch, call))) throw error;
    }
  }

  async cleanup(refs: ProviderRefs, call: BatchCall): Promise<string[]> {
    const place = this.#placeOf(refs);
    if (place === null) return [];
    const { bucket, folder } = place;
    const removed: string[] = [];
    try {
      for await (const object of bucket.list(folder, call)) {
        if (await bucket.remove(object.name, call)) removed.push(bucket.uri(object.name));
      }
    } catch (error) {
      // A bucket that was removed took everything with it.
      if (!is404(error)) throw error;
    }
    return removed;
  }

  async *inventory(call: BatchCall): AsyncGenerator<RemoteObject> {
    for await (const job of this.#jobs.list(`labels.${tokenLabel}:*`, call)) {
      if (job.token === null) continue;
      const refs = { job: job.name, model: modelOf(job), input_uri: this.#inputOf(job.token) };
      yield { kind: 'batch', id: job.name, token: job.token, createdAt: job.createdAt, refs, live: isLive(job) };
    }
    for await (const object of this.#bucket.list(this.#folder, call)) {
      const token = /^[a-z0-9-]{1,48}(?=\/)/.exec(object.name.slice(this.#folder.length))?.[0];
      if (token === undefined) continue;
      const id = this.#bucket.uri(object.name);
      const refs = { input_uri: this.#inputOf(token) };
      yield { kind: 'file', id, token, createdAt: object.createdAt, refs, live: false };
    }
  }

  probe(call: BatchCall): Promise<BatchProbe[]> {
    return probeBucket(this.#bucket, this.#folder, call);
  }

  async #get(batch: ProviderBatch, call: BatchCall): Promise<Job> {
    if (!isJobName(batch.id)) throw foreignAddress(this.#provider, 'a job');
    const job = await this.#jobs.get(batch.id, call);
    if (job === null) throw this.#noJob();
    return job;
  }

  /** A job's files stay in the folder that was made for it, whatever the config says by then; null without one. */
  #placeOf({ input_uri: uri = '' }: ProviderRefs): { bucket: GcsBucket; folder: string } | null {
    const [, name, folder] = /^gs:\/\/([^/]+)\/([^/].*\/[a-z0-9-]{1,48}\/)input\.jsonl$/.exec(uri) ?? [];
    if (name === undefined || folder === undefined || folder.split('/').includes('..')) return null;
    return { bucket: name === this.#bucket.bucket ? this.#bucket : this.#bucketNamed(name), folder };
  }

  #inputOf(token: string): string {
    return this.#bucket.uri(`${this.#folder}${token}/input.jsonl`);
  }

  #familyOf(model: string): Family {
    const family = familyOf(model);
    if (family !== null) return family;
    const message = `${this.#provider} knows no model '${model}'.`;
    throw new ProviderError(refusal('unsupported', 'model_not_supported', message, 'model'));
  }

  #noJob(): ProviderError {
    return new ProviderError(badResponse(200, `${this.#provider} answered without a job.`));
  }
}

function isLive(job: Job): boolean {
  return jobEndOf(job.state).state === 'running';
}

function modelOf(job: Job): string {
  const { model } = isFields(job.fields) ? job.fields : {};
  return typeof model === 'string' ? model.slice(model.lastIndexOf('/') + 1) : '';
}
