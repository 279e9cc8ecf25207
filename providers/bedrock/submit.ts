import { refusal } from '../../src/core/failure.ts';
import { type BatchApi, type BatchCall, ProviderError, type ShardInput } from '../contract.ts';
import type { BedrockSettings } from './config.ts';
import type { Jobs } from './jobs.ts';
import { jobNameOf, layoutOf, uriOf } from './layout.ts';
import { jobFormOf } from './models.ts';
import type { Bucket } from './objects.ts';

type BatchSettings = BedrockSettings & { role_arn: string; bucket: string };

/** Uploads the input and creates the job. The token names the objects and the job and makes its creation idempotent. */
export function createSubmit(settings: BatchSettings, bucket: Bucket, jobs: Jobs): BatchApi['submit'] {
  return async (input, call) => {
    const { token, model, endpoint } = input;
    const own = optionsOf(input);
    const layout = layoutOf(settings.prefix, token);
    const refs = {
      token,
      model,
      endpoint,
      // The answers come in the form that was asked in, whatever the config says by then.
      form: jobFormOf(model, settings) ?? 'converse',
      input_uri: uriOf(bucket.name, layout.input),
      output_uri: uriOf(bucket.name, layout.output),
    };
    await call.saved(refs);
    await bucket.upload(layout.input, input.open(), call);
    const jobArn = await create(input, own, refs, call);
    const createdAt = String(Math.floor(call.nowMs / 1000));
    const batch = { id: jobArn, refs: { ...refs, job_arn: jobArn, created_at: createdAt } };
    await call.saved(batch.refs);
    return batch;
  };

  async function create(
    input: ShardInput,
    own: OwnOptions,
    refs: { input_uri: string; output_uri: string; form: string },
    call: BatchCall,
  ): Promise<string> {
    const { token, model } = input;
    const owner = settings.bucket_owner === undefined ? {} : { s3BucketOwner: settings.bucket_owner };
    const key = settings.kms_key_id === undefined ? {} : { s3EncryptionKeyId: settings.kms_key_id };
    const hours = own.timeoutDurationInHours ?? settings.timeout_hours;
    try {
      return await jobs.create(
        {
          jobName: jobNameOf(token),
          clientRequestToken: jobNameOf(token),
          roleArn: settings.role_arn,
          modelId: model,
          modelInvocationType: refs.form === 'converse' ? 'Converse' : 'InvokeModel',
          inputDataConfig: { s3InputDataConfig: { s3Uri: refs.input_uri, s3InputFormat: 'JSONL', ...owner } },
          outputDataConfig: { s3OutputDataConfig: { s3Uri: refs.output_uri, ...key, ...owner } },
          ...(hours !== undefined && { timeoutDurationInHours: hours }),
          ...(own.tags !== undefined && { tags: own.tags }),
        },
        call,
      );
    } catch (error) {
      return afterRefusal(error, token, call);
    }
  }

  /** A taken name is our own job, when an earlier answer was lost. After any other refusal the input is of no use. */
  async function afterRefusal(error: unknown, token: string, call: BatchCall): Promise<string> {
    if (!(error instanceof ProviderError)) throw error;
    const { status, code } = error.failure;
    if (code === 'conflict') {
      const job = await jobs.named(token, call);
      if (job?.jobArn !== undefined) return job.jobArn;
    }
    if (status !== null && status >= 400 && status < 500 && status !== 408) {
      // The caller's cleanup finds it when this fails.
      await bucket.delete(layoutOf(settings.prefix, token).input, call).catch(() => {});
    }
    throw error;
  }
}

interface OwnOptions {
  timeoutDurationInHours?: number;
  tags?: { key: string; value: string }[];
}

/** Of the native fields only those that cannot reach the operator's other resources. */
function optionsOf({ options }: ShardInput): OwnOptions {
  const own: OwnOptions = {};
  for (const [name, value] of Object.entries(options)) {
    if (name === 'timeoutDurationInHours') own.timeoutDurationInHours = hoursOf(value);
    else if (name === 'tags') own.tags = tagsOf(value);
    else throw refused(name, `'${name}' may not be set by a request; there are timeoutDurationInHours and tags.`);
  }
  return own;
}

function hoursOf(value: unknown): number {
  if (Number.isInteger(value) && Number(value) >= 24 && Number(value) <= 168) return Number(value);
  throw refused('timeoutDurationInHours', 'timeoutDurationInHours must be a whole number from 24 to 168.');
}

function tagsOf(value: unknown): { key: string; value: string }[] {
  const isTag = (tag: unknown): tag is { key: string; value: string } =>
    typeof tag === 'object' &&
    tag !== null &&
    'key' in tag &&
    'value' in tag &&
    typeof tag.key === 'string' &&
    typeof tag.value === 'string';
  if (Array.isArray(value) && value.length <= 200 && value.every(isTag)) {
    return value.map(({ key, value: text }) => ({ key, value: text }));
  }
  throw refused('tags', 'tags must be a list of up to 200 {key, value}.');
}

function refused(name: string, message: string): ProviderError {
  return new ProviderError(refusal('invalid_request', 'invalid_provider_option', message, `provider_options.${name}`));
}
