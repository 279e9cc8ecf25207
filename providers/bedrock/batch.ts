import { type Failure, refusal } from '../../src/core/failure.ts';
import type {
  BatchApi,
  BatchCall,
  BatchPlace,
  NativeRequest,
  ProviderBatch,
  ProviderRefs,
  RemoteObject,
} from '../contract.ts';
import { is404 } from '../shared/is-404.ts';
import type { Access } from './access.ts';
import type { BedrockSettings } from './config.ts';
import { unbatchable, withoutCachePoints } from './converse.ts';
import { invokeBody } from './invoke.ts';
import { createJobs } from './jobs.ts';
import { layoutOf, type Place, placeOfRefs, tokenOfJob, tokenOfKey, tokenOfRefs, uriOf } from './layout.ts';
import { maxLineBytes } from './limits.ts';
import { readManifest } from './manifest.ts';
import { isInvokeForm, type JobForm, jobFormOf } from './models.ts';
import { createBucket } from './objects.ts';
import { type Outputs, readOutput } from './output.ts';
import { type EmbeddingWork, recordIdOf } from './pieces.ts';
import { probeBucket } from './probe.ts';
import { Refused } from './refused.ts';
import { createSubmit } from './submit.ts';

/** Statuses in which a job can still cost money. */
const liveStatuses: ReadonlySet<string> = new Set(['Submitted', 'Validating', 'Scheduled', 'InProgress', 'Stopping']);

/** Batch inference: input and output in the operator's bucket, one job a shard. */
export function createBatchApi(
  access: Access,
  settings: BedrockSettings & { role_arn: string; bucket: string },
): BatchApi {
  const { prefix } = settings;
  const bucket = createBucket(access, settings.bucket);
  const jobs = createJobs(access);
  const limits = settings.batch_limits;
  const here = { bucket: bucket.name, prefix };

  return {
    place: placeOf(settings, access),
    limits: {
      lines: limits.lines,
      linesMin: limits.lines_min,
      bytes: limits.bytes,
      lineBytes: maxLineBytes,
      jobs: limits.jobs,
      enqueuedTokens: null,
    },
    refuses: (request) => refuse(request, settings, access.provider),
    line: (key, request) => recordsOf(key, request, settings),
    submit: createSubmit(settings, bucket, jobs),
    find: (token, refs, call) => find(token, refs, call),
    poll: (batch, call) => jobs.poll(batch, outputsAt(batch.refs), call),
    results: (batch, call) => readOutput(batch, outputsAt(batch.refs), call),
    totals: (batch, call) => readManifest(batch, outputsAt(batch.refs), call),
    cancel: (batch, call) => jobs.stop(batch.id, call),
    cleanup: (refs, call) => cleanup(refs, call),
    inventory: (call) => inventory(call),
    probe: (call) => probeBucket(bucket, prefix, call),
  };

  /** A job's files stay where it was made, whatever the config says by then. */
  function outputsAt(refs: ProviderRefs): Outputs {
    const place = placeOfRefs(refs) ?? here;
    const own = place.bucket === bucket.name ? bucket : createBucket(access, place.bucket);
    return { access, bucket: own, prefix: place.prefix };
  }

  async function find(token: string, refs: ProviderRefs, call: BatchCall): Promise<ProviderBatch | null> {
    const job = await jobs.named(token, call);
    if (job?.jobArn === undefined) return null;
    const own = refsOf(token, job.modelId ?? refs.model, placeOfRefs(refs) ?? here);
    return { id: job.jobArn, refs: { ...refs, ...own, job_arn: job.jobArn } };
  }

  function refsOf(token: string, model: string | undefined, place: Place = here): Record<string, string> {
    const layout = layoutOf(place.prefix, token);
    return {
      token,
      input_uri: uriOf(place.bucket, layout.input),
      output_uri: uriOf(place.bucket, layout.output),
      ...(model !== undefined && { model }),
    };
  }

  async function cleanup(refs: ProviderRefs, call: BatchCall): Promise<string[]> {
    const token = tokenOfRefs(refs);
    if (token === null) return [];
    const { bucket: own, prefix: home } = outputsAt(refs);
    const { folder } = layoutOf(home, token);
    const removed: string[] = [];
    try {
      for (const open of await own.openUploads(folder, call)) {
        await own.abortUpload(open, call);
        removed.push(`${uriOf(own.name, open.key)} (unfinished upload)`);
      }
      for await (const { key } of own.list(folder, call)) {
        await own.delete(key, call);
        removed.push(uriOf(own.name, key));
      }
    } catch (error) {
      // A bucket that was removed took everything with it.
      if (!is404(error)) throw error;
    }
    return removed;
  }

  async function* inventory(call: BatchCall): AsyncIterable<RemoteObject> {
    const home = uriOf(bucket.name, prefix);
    for await (const job of jobs.list({}, call)) {
      const token = tokenOfJob(job.jobName);
      // Another installation of the same account has another bucket or prefix.
      const isOurs = job.outputDataConfig?.s3OutputDataConfig?.s3Uri?.startsWith(home) === true;
      if (token === null || !isOurs || job.jobArn === undefined) continue;
      yield {
        kind: 'batch',
        id: job.jobArn,
        token,
        createdAt: Math.floor((job.submitTime?.getTime() ?? 0) / 1000),
        refs: { ...refsOf(token, job.modelId), job_arn: job.jobArn },
        live: liveStatuses.has(job.status ?? ''),
      };
    }
    for await (const { key, createdAt } of bucket.list(prefix, call)) yield* fileOf(key, createdAt);
    for (const { key, createdAt } of await bucket.openUploads(prefix, call)) yield* fileOf(key, createdAt);
  }

  function* fileOf(key: string, createdAt: number): Iterable<RemoteObject> {
    const token = tokenOfKey(prefix, key);
    if (token === null) return;
    yield { kind: 'file', id: uriOf(bucket.name, key), token, createdAt, refs: refsOf(token, undefined), live: false };
  }
}

/** The account is that of the role that jobs run as; keys of it come and go. */
function placeOf(settings: BedrockSettings & { role_arn: string }, { endpoints }: Access): BatchPlace {
  const { region, role_arn: role, s3_endpoint: storage } = settings;
  const account = /:(\d{12}):/.exec(role)?.[1] ?? '';
  const addresses = [endpoints.control, storage ?? []].flat().map((url) => url.replace(/\/+$/, ''));
  return { name: `${region} of account ${account} at ${addresses.join(' with ')}`, account: () => '' };
}

/** The record of a request; an embeddings request may be several, with line feeds between them. */
function recordsOf(key: string, request: NativeRequest, settings: BedrockSettings): string {
  const { endpoint, model } = request;
  if (endpoint !== '/v1/embeddings') {
    const form = jobFormOf(model, settings);
    const body = withoutCachePoints(request);
    return record(key, isInvokeForm(form) ? invokeBody(form, body, model) : body);
  }
  const { inputs, encoding } = JSON.parse(request.body) as EmbeddingWork;
  const count = inputs.length;
  return inputs
    .map((input, index) => record(recordIdOf({ key, index, count, encoding }), JSON.stringify(input)))
    .join('\n');
}

function record(recordId: string, modelInput: string): string {
  return `{"recordId":${JSON.stringify(recordId)},"modelInput":${modelInput}}`;
}

/** What a batch job does not take of what a single call does; null when it takes all. */
function refuse(request: NativeRequest, settings: BedrockSettings, provider: string): Failure | null {
  const form = jobFormOf(request.model, settings);
  return (settings.batch_tools === 'allow' ? null : refuseTools(request, provider)) ?? refuseForm(form, request);
}

function refuseForm(form: JobForm | null, { body, model }: NativeRequest): Failure | null {
  if (!isInvokeForm(form)) return null;
  try {
    invokeBody(form, body, model);
    return null;
  } catch (error) {
    if (error instanceof Refused) return error.failure;
    throw error;
  }
}

/** Bedrock documents that batch inference does not support tool calling or structured output. */
function refuseTools(request: NativeRequest, provider: string): Failure | null {
  const param = unbatchable(request);
  if (param === null) return null;
  const message = `Batch jobs of ${provider} do not serve '${param}'. Send the request in immediate mode, or without it.`;
  return refusal('unsupported', 'unsupported_in_batch', message, param);
}
