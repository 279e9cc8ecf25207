import type { Provider } from '../../../providers/contract.ts';
import {
  type BatchServerOptions,
  type SimulatedBatchServer,
  startOpenAIBatchServer,
} from '../../../providers/sandbox/servers/openai-batch.ts';
import type { BatchSettingsChanges } from '../../../providers/sandbox/servers/openai-batch-settings.ts';
import type { BatchFaults, BatchSubject } from '../../contract/provider-batch.ts';

type Fault = NonNullable<BatchSettingsChanges['faults']>[number];

export interface SubjectOptions {
  server: BatchServerOptions;
  secret: string;
  model: string;
  create(server: SimulatedBatchServer): Provider;
  /** Faults that this flavour of the service cannot have. */
  without?: readonly (keyof BatchFaults)[];
}

/** A provider over the simulated files and batches, for the contract suite. */
export async function startBatchSubject(options: SubjectOptions): Promise<BatchSubject> {
  const { secret, model, create, without = [] } = options;
  const server = await startOpenAIBatchServer({ api_key: secret, ...options.server });
  const next = (fault: Fault) => server.configure({ faults: [fault] });
  const faults: BatchFaults = {
    loseCreateAnswer: () => next({ on: 'create', fault: 'lose_answer' }),
    stopHalfway: () => server.configure({ stop_at: 0.5 }),
    expire: () => server.expire(),
    failEveryLine: () => server.configure({ line_faults: [{ contains: '', status: 400 }] }),
    refuseSecondLine: () => server.configure({ refuse_lines: [2] }),
    lateOutput: () => server.configure({ late_output_polls: 3 }),
    emptyPlaces: () => server.configure({ empty_ids: true }),
    cutNextDownload: () => next({ on: 'content', fault: 'cut' }),
    shortenNextDownload: () => next({ on: 'content', fault: 'shorten' }),
    oddLines: () => server.configure({ odd_lines: true }),
    unknownStatus: () => next({ on: 'poll', fault: 'unknown_status' }),
    backwardStatus: () => next({ on: 'poll', fault: 'backward_status' }),
    notFound: () => next({ on: 'poll', fault: 404, times: null }),
    badPoll: (form) => next({ on: 'poll', fault: form === 'error' ? 'error_object' : form }),
    rateLimitNext: () => next({ on: 'any', fault: 'rate_limit' }),
    quotaFull: () => server.configure({ enqueued_tokens: 1, token_limit: 'fail_fast' }),
    quotaFullLater: () => server.configure({ enqueued_tokens: 1, token_limit: 'later' }),
    badCredentials: () => server.configure({ api_key: 'another-key' }),
    echoHeaders: () => next({ on: 'any', fault: 'echo', times: null }),
    largeAnswers: (bytes) => server.configure({ answer_bytes: Math.ceil(bytes / 8), answers: { max_model_len: null } }),
  };
  for (const name of without) delete faults[name];
  return {
    provider: create(server),
    model,
    secret,
    simulator: {
      hold: () => server.configure({ stop_at: 0 }),
      release: () => server.configure({ stop_at: null }),
      held: () => ({ created: server.counters.batches_created, ...server.held() }),
      addForeign: () => server.addForeign(),
      sentBytes: () => server.counters.content_bytes_sent,
      faults,
    },
    stop: () => server.stop(),
  };
}
