import type { CreateInput, Job, JobStore } from './bedrock-jobs.ts';
import type { BedrockSettings } from './bedrock-settings.ts';

/** An error of AWS's rest-json protocol, or a body. */
export type ControlAnswer =
  | { ok: true; body: object }
  | { ok: false; name: string; status: number; message: string; retryAfter?: string | null };

const namePattern = /^[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9+\-.]){0,63}$/;
const tokenPattern = /^[a-zA-Z0-9]{1,256}(-*[a-zA-Z0-9]){0,256}$/;
const uriPattern = /^s3:\/\/[a-z0-9.-]{3,63}\/[-!_*'().a-zA-Z0-9/]+$/;
const live: ReadonlySet<string> = new Set(['Submitted', 'Validating', 'Scheduled', 'InProgress', 'Stopping']);

function failure(name: string, status: number, message: string): ControlAnswer {
  return { ok: false, name, status, message };
}

function invalid(message: string): ControlAnswer {
  return failure('ValidationException', 400, message);
}

/** CreateModelInvocationJob. */
export function createJob(
  store: JobStore,
  input: CreateInput,
  settings: BedrockSettings,
  nowMs: number,
): ControlAnswer {
  const earlier = store.withToken(input.clientRequestToken);
  if (earlier !== undefined) {
    const isSame = JSON.stringify(earlier.input) === JSON.stringify(input);
    return isSame
      ? { ok: true, body: { jobArn: earlier.arn } }
      : failure('ConflictException', 400, 'The token was used with other parameters.');
  }
  const problem = problemOf(input, settings);
  if (problem !== null) return invalid(problem);
  const jobs = [...store.jobs.values()];
  if (settings.unique_names && jobs.some((job) => job.input.jobName === input.jobName)) {
    return failure('ConflictException', 400, `The job name ${input.jobName} is in use.`);
  }
  const running = jobs.filter(
    (job) => job.input.modelId === input.modelId && live.has(store.statusOf(job, settings, nowMs)),
  );
  if (running.length >= settings.max_jobs) {
    const message = 'Your account has reached the maximum number of in progress and submitted batch inference jobs.';
    return failure(settings.slots_error, settings.slots_error === 'ThrottlingException' ? 429 : 400, message);
  }
  return { ok: true, body: { jobArn: store.create(input, settings, nowMs).arn } };
}

function problemOf(input: CreateInput, settings: BedrockSettings): string | null {
  const { jobName, roleArn, modelId, clientRequestToken: token, timeoutDurationInHours: hours } = input;
  if (!namePattern.test(jobName ?? '') || jobName.length > 63) return 'jobName does not satisfy the constraint.';
  if (token !== undefined && !tokenPattern.test(token)) return 'clientRequestToken does not satisfy the constraint.';
  if (!/^arn:aws(-[a-z-]+)?:iam::\d{12}:role\/.+/.test(roleArn ?? ''))
    return 'roleArn does not satisfy the constraint.';
  if (settings.models !== null && !settings.models.includes(modelId))
    return `The model ${modelId} does not support batch inference.`;
  const isConverse = input.modelInvocationType === 'Converse';
  if (isConverse && settings.invoke_only.some((part) => modelId.includes(part)))
    return `The model ${modelId} does not support the Converse invocation type in batch inference.`;
  const uris = [input.inputDataConfig?.s3InputDataConfig?.s3Uri, input.outputDataConfig?.s3OutputDataConfig?.s3Uri];
  if (!uris.every((uri) => uriPattern.test(uri ?? ''))) return 's3Uri does not satisfy the constraint.';
  if (hours !== undefined && !(hours >= 24 && hours <= 168)) return 'timeoutDurationInHours must be from 24 to 168.';
  return null;
}

/** A job as Get and List show it. */
export function viewOf(store: JobStore, job: Job, settings: BedrockSettings, nowMs: number): Record<string, unknown> {
  const { input, totals } = job;
  const iso = (ms: number) => new Date(ms).toISOString();
  const processed = store.processedOf(job, settings, nowMs);
  return {
    jobArn: job.arn,
    ...input,
    modelInvocationType: input.modelInvocationType ?? 'InvokeModel',
    timeoutDurationInHours: input.timeoutDurationInHours ?? 24,
    tags: undefined,
    status: store.statusOf(job, settings, nowMs),
    ...(job.message !== null && { message: job.message }),
    submitTime: iso(job.createdMs),
    lastModifiedTime: iso(job.endedMs ?? nowMs),
    ...(job.endedMs !== null && { endTime: iso(job.endedMs) }),
    jobExpirationTime: iso(job.createdMs + (input.timeoutDurationInHours ?? 24) * 3_600_000),
    ...(settings.counts && {
      totalRecordCount: job.lines.length,
      processedRecordCount: processed,
      successRecordCount: totals?.succeeded ?? processed,
      errorRecordCount: totals?.failed ?? 0,
    }),
  };
}

/** GetModelInvocationJob. */
export function getJob(store: JobStore, identifier: string, settings: BedrockSettings, nowMs: number): ControlAnswer {
  const job = store.find(identifier);
  if (job === undefined) return failure('ResourceNotFoundException', 404, 'Could not find the job.');
  job.reads += 1;
  if (job.reads <= settings.hidden_reads) return failure('ResourceNotFoundException', 404, 'Could not find the job.');
  return { ok: true, body: viewOf(store, job, settings, nowMs) };
}

/** ListModelInvocationJobs. */
export function listJobs(
  store: JobStore,
  query: URLSearchParams,
  settings: BedrockSettings,
  nowMs: number,
): ControlAnswer {
  const name = query.get('nameContains') ?? '';
  const status = query.get('statusEquals');
  const views = [...store.jobs.values()]
    .filter((job) => job.input.jobName.includes(name))
    .map((job) => viewOf(store, job, settings, nowMs))
    .filter((view) => status === null || view.status === status)
    .reverse();
  const start = Number(query.get('nextToken') ?? 0);
  const page = views.slice(start, start + Math.min(1000, Number(query.get('maxResults') ?? 100)));
  const next = start + page.length;
  return { ok: true, body: { invocationJobSummaries: page, ...(next < views.length && { nextToken: String(next) }) } };
}

/** StopModelInvocationJob. */
export function stopJob(store: JobStore, identifier: string, settings: BedrockSettings, nowMs: number): ControlAnswer {
  const job = store.find(identifier);
  if (job === undefined) return failure('ResourceNotFoundException', 404, 'Could not find the job.');
  const status = store.statusOf(job, settings, nowMs);
  if (!live.has(status)) return invalid(`The job is ${status} and cannot be stopped.`);
  if (status === 'Stopping') return failure('ConflictException', 400, 'The job is stopping.');
  const done = store.processedOf(job, settings, nowMs) / Math.max(1, job.lines.length);
  job.stopped = { progress: 0.3 + 0.7 * done, atMs: nowMs, steps: job.steps };
  return { ok: true, body: {} };
}
