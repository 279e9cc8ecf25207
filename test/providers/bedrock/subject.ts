import type { Provider } from '../../../providers/contract.ts';
import {
  type LiveBedrockOptions,
  type SimulatedBedrock,
  startBedrockServer,
} from '../../../providers/sandbox/servers/bedrock.ts';
import type { BatchSubject } from '../../contract/provider-batch.ts';
import { createProvider } from '../kinds.ts';

export const caller = {
  access_key_id: 'AKIACANARYBEDROCK001',
  secret_access_key: 'canary/secret+of/bedrock',
  session_token: 'canary-session/token+22==',
};

export const role = 'arn:aws:iam::123456789012:role/weir-batch';

/** A provider over a simulated Bedrock and S3. */
export function providerAt(server: SimulatedBedrock, changes: object = {}): Provider {
  return createProvider('bedrock', {
    region: 'us-east-1',
    ...caller,
    role_arn: role,
    bucket: server.s3.settings.bucket,
    base_url: server.url,
    runtime_endpoint: server.url,
    s3_endpoint: server.s3.url,
    ...changes,
  });
}

const otherJob = {
  jobName: 'somebody-elses-job',
  roleArn: role,
  modelId: 'amazon.nova-lite-v1:0',
  inputDataConfig: { s3InputDataConfig: { s3Uri: 's3://sim-bucket/other/input.jsonl' } },
  outputDataConfig: { s3OutputDataConfig: { s3Uri: 's3://sim-bucket/other/out/' } },
};

/** The subject of the contract suite. */
export async function startBedrockSubject(
  model: string,
  changes: { server?: LiveBedrockOptions; provider?: object; endpoint?: BatchSubject['endpoint'] } = {},
): Promise<BatchSubject> {
  const server = await startBedrockServer({ caller, job_ms: 20, stop_ms: 5, ...changes.server });
  const { s3 } = server;
  const next = (on: 'create' | 'get' | 'any', fault: NonNullable<LiveBedrockOptions['faults']>[number]['fault']) =>
    server.configure({ faults: [{ on, fault }] });
  const other = { ...caller, access_key_id: 'AKIAANOTHER' };
  const throttled = { name: 'ThrottlingException', status: 429, message: 'Rate exceeded', retry_after: '7' };
  const unknown = { name: 'ResourceNotFoundException', status: 404 };
  const badPolls = { html: 'html', empty: 'empty', truncated: 'truncated', error: 'error_object' } as const;
  return {
    provider: providerAt(server, changes.provider),
    model,
    ...(changes.endpoint !== undefined && { endpoint: changes.endpoint }),
    secret: caller.session_token,
    linesMin: 100,
    simulator: {
      hold: () => server.configure({ stop_at: 0 }),
      release: () => server.configure({ stop_at: null }),
      held: () => held(server),
      addForeign: () => addForeign(server),
      sentBytes: () => s3.sentBytes,
      faults: {
        loseCreateAnswer: () => next('create', 'lose_answer'),
        stopHalfway: () => server.configure({ stop_at: 0.5, job_ms: 1 }),
        expire: () => server.configure({ stop_at: null, outcome: 'PartiallyCompleted', partial_share: 0.5 }),
        failEveryLine: () => server.configure({ rate_record_error: 1 }),
        refuseSecondLine: () =>
          server.configure({ outcome: 'Failed', failure_message: 'Malformed JSON at line 2 of the input file.' }),
        lateOutput: () => server.configure({ output: { late_ms: 100 } }),
        emptyPlaces: () => server.configure({ output: { empty_file: true } }),
        cutNextDownload: () => s3.configure({ cut_after_bytes: 9000, cut_times: 1 }),
        shortenNextDownload: () => s3.configure({ cut_after_bytes: 9000, cut_times: 1, cut_silently: true }),
        oddLines: () => server.configure({ output: { repeat: 1, stranger: 1, unnamed: 1, garbage: 1, blank: 2 } }),
        unknownStatus: () => next('get', 'unknown_status'),
        backwardStatus: () => next('get', 'backward_status'),
        notFound: () => server.configure({ faults: [{ on: 'get', fault: unknown, times: null }] }),
        badPoll: (form) => next('get', badPolls[form]),
        rateLimitNext: () => next('any', throttled),
        quotaFull: () => server.configure({ max_jobs: 0 }),
        quotaFullLater: () =>
          server.configure({ outcome: 'Failed', failure_message: 'The account exceeded its limit of batch jobs.' }),
        badCredentials: () => {
          server.configure({ caller: other });
          s3.configure({ caller: other });
        },
        echoHeaders: () => {
          server.configure({ echo_headers: true });
          s3.configure({ echo_headers: true });
        },
        largeAnswers: (bytes) => server.configure({ answer_length: Math.ceil(bytes / 100) }),
      },
    },
    stop: () => server.stop(),
  };
}

function held(server: SimulatedBedrock) {
  const ours = server.jobs().filter(({ input }) => input.jobName !== otherJob.jobName);
  const files = [...server.s3.store.objects.keys()].filter((key) => key.startsWith('weir/'));
  return { created: ours.length, live: ours.filter(({ endedMs }) => endedMs === null).length, files: files.length };
}

/** A job and objects of other programs, one of them under our prefix. */
async function addForeign(server: SimulatedBedrock): Promise<void> {
  const { store } = server.s3;
  for (const key of ['other/input.jsonl', 'other/out/x.jsonl.out']) store.put(key, Buffer.from('{}'), Date.now());
  const { BedrockClient, CreateModelInvocationJobCommand } = await import('@aws-sdk/client-bedrock');
  const client = new BedrockClient({ region: 'us-east-1', endpoint: server.url, credentials: credentials() });
  const input = { ...otherJob.inputDataConfig.s3InputDataConfig, s3InputFormat: 'JSONL' as const };
  await client.send(
    new CreateModelInvocationJobCommand({ ...otherJob, inputDataConfig: { s3InputDataConfig: input } }),
  );
  client.destroy();
}

/** The caller, as the SDKs take it. */
export function credentials() {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey, session_token: sessionToken } = caller;
  return { accessKeyId, secretAccessKey, sessionToken };
}
