import type { Provider } from '../../../providers/contract.ts';
import {
  startVertexServer,
  type VertexServer,
  type VertexServerOptions,
} from '../../../providers/sandbox/servers/vertex.ts';
import type { VertexChanges } from '../../../providers/sandbox/servers/vertex-settings.ts';
import type { BatchFaults, BatchSubject } from '../../contract/provider-batch.ts';
import { createProvider } from '../kinds.ts';

type Fault = NonNullable<VertexChanges['faults']>[number];

export const bucket = 'sim-bucket';

/** A config entry of a simulated service, with its key file. */
export function entryOf(server: VertexServer, changes: object = {}): object {
  return {
    project: 'sim-project',
    location: 'us-central1',
    bucket,
    base_url: server.url,
    storage_endpoint: server.url,
    token_url: server.tokenUrl,
    credentials: server.credentials,
    ...changes,
  };
}

/** A token that the service takes until it is revoked. */
export function issueToken(server: VertexServer): string {
  return (server.tokens.issue().body as { access_token: string }).access_token;
}

const any = 1_000_000;
const poll = 'GET /v1/.*/batchPredictionJobs/\\d+$';
const download = 'alt=media';

/** A provider over the simulated service, for the contract suite. */
export async function startBatchSubject(model: string, options: VertexServerOptions = {}): Promise<BatchSubject> {
  const server = await startVertexServer({
    states: ['JOB_STATE_PENDING', 'JOB_STATE_RUNNING', 'JOB_STATE_SUCCEEDED'],
    ...options,
  });
  const secret = issueToken(server);
  const provider: Provider = createProvider(
    'vertex',
    entryOf(server, { access_token: secret, credentials: undefined }),
  );
  const next = (fault: Fault) => server.configure({ faults: [fault] });
  const state = (word: string) => server.configure({ next_state: word });
  const faults: BatchFaults = {
    loseCreateAnswer: () => next({ on: 'POST .*/batchPredictionJobs$', fault: 'lost' }),
    stopHalfway: () => server.configure({ hold_before: 'JOB_STATE_SUCCEEDED' }),
    expire: () => server.jobs.endAll('JOB_STATE_EXPIRED'),
    failEveryLine: () =>
      server.configure({
        fail_rows: [{ contains: '{', status: 'Bad Request: {"error":{"code":400,"message":"no"}}' }],
      }),
    lateOutput: () => server.configure({ late_output: 3 }),
    emptyPlaces: () => server.configure({ output_shards: 12 }),
    cutNextDownload: () => next({ on: download, fault: 'half' }),
    shortenNextDownload: () => next({ on: download, fault: 'short' }),
    oddLines: () => server.configure({ rows: { odd: true } }),
    unknownStatus: () => state('JOB_STATE_DREAMING'),
    backwardStatus: () => state('JOB_STATE_PENDING'),
    notFound: () => next({ on: poll, fault: 404, times: any }),
    badPoll: (form) => next({ on: poll, fault: form }),
    rateLimitNext: () => next({ on: '.', fault: 429, retry_after: '7' }),
    quotaFull: () => next({ on: 'POST .*/batchPredictionJobs$', fault: 429, message: 'Quota exceeded.', times: any }),
    quotaFullLater: () =>
      server.configure({
        states: ['JOB_STATE_PENDING', 'JOB_STATE_FAILED'],
        job_error: { code: 8, message: 'Quota exceeded for concurrent jobs.' },
      }),
    badCredentials: () => server.tokens.revokeAll(),
    echoHeaders: () => next({ on: '.', fault: 'echo', times: any }),
    largeAnswers: (bytes) => server.configure({ answer_characters: Math.ceil(bytes / 8) + 1 }),
  };
  return {
    provider,
    model,
    secret,
    simulator: {
      hold: () => server.configure({ hold_before: 'JOB_STATE_RUNNING' }),
      release: () => server.configure({ hold_before: null }),
      held: () => ({
        created: server.jobs.count,
        live: server.jobs.live,
        files: server.store.list(bucket, 'weir/').length,
      }),
      addForeign: () => {
        server.jobs.addForeign();
        server.store.put(bucket, 'other/weir-shard-1/input.jsonl', Buffer.from('{}\n'));
        server.store.put(bucket, 'weirdo/weir-shard-1/input.jsonl', Buffer.from('{}\n'));
      },
      sentBytes: () => server.counters.download_bytes,
      faults,
    },
    stop: () => server.stop(),
  };
}
