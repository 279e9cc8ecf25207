import { randomBytes } from 'node:crypto';
import type { Answered } from './answered.ts';
import type { AnswerHook } from './bedrock-models.ts';
import { inputLines, runRecords, type Totals, validateInput } from './bedrock-records.ts';
import type { BedrockSettings } from './bedrock-settings.ts';
import type { ObjectStore } from './s3-store.ts';

/** The fields of a create call that this simulation reads. */
export interface CreateInput {
  jobName: string;
  roleArn: string;
  modelId: string;
  clientRequestToken?: string;
  modelInvocationType?: string;
  timeoutDurationInHours?: number;
  inputDataConfig: { s3InputDataConfig: { s3Uri: string } };
  outputDataConfig: { s3OutputDataConfig: { s3Uri: string; s3EncryptionKeyId?: string } };
  tags?: unknown;
}

export interface Job {
  arn: string;
  id: string;
  input: CreateInput;
  createdMs: number;
  /** Steps taken by `advance`, for a stepped clock. */
  steps: number;
  /** How far it was when it was stopped, and when; null when it was not. */
  stopped: { progress: number; atMs: number; steps: number } | null;
  message: string | null;
  lines: string[];
  totals: Totals | null;
  endedMs: number | null;
  /** Attempts to read it so far. */
  reads: number;
}

/** Progress at which each status begins; from 1 the job has ended. */
const validated = 0.2;
const started = 0.3;
const stepProgress = [0, 0.1, 0.2, 0.65, 1];

/** The jobs of one account. Their state follows from the time, or from the steps taken. */
export class JobStore {
  readonly jobs = new Map<string, Job>();
  readonly #byToken = new Map<string, Job>();
  readonly #answered: Answered;

  constructor(answered: Answered) {
    this.#answered = answered;
  }

  create(input: CreateInput, settings: BedrockSettings, nowMs: number): Job {
    const id = randomBytes(6).toString('hex');
    const arn = `arn:aws:bedrock:${settings.region}:${settings.account}:model-invocation-job/${id}`;
    const job = { arn, id, input, createdMs: nowMs, steps: 0, stopped: null, message: null };
    const made: Job = { ...job, lines: [], totals: null, endedMs: null, reads: 0 };
    this.jobs.set(id, made);
    if (input.clientRequestToken !== undefined) this.#byToken.set(input.clientRequestToken, made);
    return made;
  }

  withToken(token: string | undefined): Job | undefined {
    return token === undefined ? undefined : this.#byToken.get(token);
  }

  /** A job by its id or ARN. */
  find(identifier: string): Job | undefined {
    return this.jobs.get(identifier.slice(identifier.lastIndexOf('/') + 1));
  }

  statusOf(job: Job, settings: BedrockSettings, nowMs: number): string {
    const progress = progressOf(job, settings, nowMs);
    if (job.stopped !== null) return hasStopped(job, settings, nowMs) ? 'Stopped' : 'Stopping';
    if (progress < 0.1) return 'Submitted';
    if (progress < validated) return 'Validating';
    if (job.message !== null) return 'Failed';
    if (settings.outcome === 'Failed' && progress >= started) return 'Failed';
    if (settings.outcome === 'Expired') return progress < 1 ? 'Scheduled' : 'Expired';
    if (progress < started) return 'Scheduled';
    return progress < 1 ? 'InProgress' : settings.outcome;
  }

  /** Records done so far. */
  processedOf(job: Job, settings: BedrockSettings, nowMs: number): number {
    if (job.totals !== null) return job.totals.processed;
    const progress = job.stopped?.progress ?? progressOf(job, settings, nowMs);
    // The sum of two shares may fall short of a whole record by a rounding error.
    return Math.floor(job.lines.length * Math.min(1, Math.max(0, (progress - started) / (1 - started))) + 1e-6);
  }

  /** Brings every job to where it is by now: validates inputs, writes outputs. */
  settle(settings: BedrockSettings, store: ObjectStore, hook: AnswerHook | null, nowMs: number): void {
    for (const job of this.jobs.values()) {
      if (job.endedMs !== null) continue;
      if (job.lines.length === 0 && job.message === null && progressOf(job, settings, nowMs) >= validated) {
        validate(job, settings, store);
      }
      const status = this.statusOf(job, settings, nowMs);
      if (!['Completed', 'PartiallyCompleted', 'Stopped', 'Failed', 'Expired'].includes(status)) continue;
      if (status === 'Failed') job.message ??= settings.failure_message;
      const count =
        status === 'PartiallyCompleted'
          ? Math.floor(job.lines.length * settings.partial_share)
          : this.processedOf(job, settings, nowMs);
      job.endedMs = nowMs;
      if (status !== 'Failed' && status !== 'Expired') {
        const run = { count, isExpiring: status === 'PartiallyCompleted', answered: this.#answered };
        writeOutput(job, run, settings, store, hook, nowMs);
      }
    }
  }
}

function progressOf(job: Job, settings: BedrockSettings, nowMs: number): number {
  const own =
    settings.job_ms === null ? (stepProgress[job.steps] ?? 1) : (nowMs - job.createdMs) / Math.max(1, settings.job_ms);
  if (settings.stop_at === null || job.endedMs !== null) return own;
  return Math.min(own, started + settings.stop_at * (1 - started), 0.999_999);
}

function hasStopped({ stopped, steps }: Job, settings: BedrockSettings, nowMs: number): boolean {
  if (stopped === null) return false;
  return settings.job_ms === null ? steps > stopped.steps : nowMs - stopped.atMs >= settings.stop_ms;
}

function validate(job: Job, settings: BedrockSettings, store: ObjectStore): void {
  const { roleArn, inputDataConfig } = job.input;
  if (settings.role_arn !== null && roleArn !== settings.role_arn) {
    job.message = 'The role cannot be assumed: access denied to the S3 input.';
    return;
  }
  const object = store.objects.get(keyOf(inputDataConfig.s3InputDataConfig.s3Uri));
  if (object === undefined) {
    job.message = 'The S3 input does not exist.';
    return;
  }
  job.lines = inputLines(object.body);
  job.message = validateInput(job.lines, settings);
}

function writeOutput(
  job: Job,
  { count, ...run }: { count: number; isExpiring: boolean; answered: Answered },
  settings: BedrockSettings,
  store: ObjectStore,
  hook: AnswerHook | null,
  nowMs: number,
): void {
  const { modelId: model, modelInvocationType: type = 'InvokeModel', inputDataConfig, outputDataConfig } = job.input;
  const { files, totals } = runRecords(job.lines, count, { model, type, ...run }, settings, hook);
  job.totals = totals;
  if (totals.processed === 0) return;
  const { s3Uri, s3EncryptionKeyId = null } = outputDataConfig.s3OutputDataConfig;
  const folder = `${keyOf(s3Uri).replace(/\/?$/, '/')}${job.id}/`;
  const name = keyOf(inputDataConfig.s3InputDataConfig.s3Uri).split('/').at(-1) ?? 'input.jsonl';
  const late = { visibleFromMs: nowMs + settings.output.late_ms, encryption: s3EncryptionKeyId };
  for (const [index, text] of files.entries()) {
    const key = index === 0 ? `${folder}${name}.out` : `${folder}${index}/${name}.out`;
    // The manifest and the first file may be seen before the others.
    store.put(key, Buffer.from(text), nowMs, files.length > 1 && index === 0 ? {} : late);
  }
  if (settings.output.empty_file) store.put(`${folder}empty/${name}.out`, Buffer.alloc(0), nowMs);
  if (settings.output.manifest) store.put(`${folder}manifest.json.out`, Buffer.from(manifestOf(job, totals)), nowMs);
}

function manifestOf(job: Job, totals: Totals): string {
  return JSON.stringify({
    totalRecordCount: job.lines.length,
    processedRecordCount: totals.processed,
    successRecordCount: totals.succeeded,
    errorRecordCount: totals.failed,
    inputTokenCount: totals.inputTokens,
    outputTokenCount: totals.outputTokens,
  });
}

function keyOf(uri: string): string {
  return uri.replace(/^s3:\/\/[^/]+\//, '');
}
