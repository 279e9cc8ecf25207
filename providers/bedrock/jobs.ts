import type {
  CreateModelInvocationJobCommandInput,
  GetModelInvocationJobCommandOutput,
  ModelInvocationJobSummary,
} from '@aws-sdk/client-bedrock';
import { type BatchCall, type Progress, type ProviderBatch, ProviderError } from '../contract.ts';
import { badResponse } from '../shared/openai-status.ts';
import type { Access, Control } from './access.ts';
import { jobNameOf } from './layout.ts';
import { hasOutput, type Outputs } from './output.ts';
import { awsFailure, ending } from './sdk.ts';
import { failureOfJob, linesNamed, stateOf } from './status.ts';

/** What is told of a job that Bedrock does not know yet. */
const notYet: Progress = {
  state: 'running',
  reason: null,
  raw: 'not found yet',
  counts: null,
  failure: null,
  lines: [],
  refs: {},
  details: null,
};

/** How long a job may be unknown after its creation, and how long it may have ended before output that cannot be seen is taken for output that does not exist. */
const visibilityMs = 600_000;

/** Model invocation jobs. Every member rejects with ProviderError. */
export interface Jobs {
  /** Answers the job's ARN; the same token gives the same job. */
  create(input: CreateModelInvocationJobCommandInput, call: BatchCall): Promise<string>;
  /** The job that carries this token in its name; null when there is none. */
  named(token: string, call: BatchCall): Promise<ModelInvocationJobSummary | null>;
  list(query: { nameContains?: string }, call: BatchCall): AsyncIterable<ModelInvocationJobSummary>;
  poll(batch: ProviderBatch, outputs: Outputs, call: BatchCall): Promise<Progress>;
  stop(arn: string, call: BatchCall): Promise<void>;
}

export function createJobs(access: Access): Jobs {
  async function run<Answer>(
    call: BatchCall,
    work: (control: Control, signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    try {
      return await work(await access.control(), ending(call));
    } catch (error) {
      throw awsFailure(error, 'job', access, call);
    }
  }

  function get(arn: string, call: BatchCall): Promise<GetModelInvocationJobCommandOutput> {
    return run(call, ({ sdk, client }, abortSignal) =>
      client.send(new sdk.GetModelInvocationJobCommand({ jobIdentifier: arn }), { abortSignal }),
    );
  }

  /** null while a job is so young that Bedrock may not know it everywhere. */
  async function getIfKnown(batch: ProviderBatch, call: BatchCall): Promise<GetModelInvocationJobCommandOutput | null> {
    try {
      const job = await get(batch.id, call);
      if (job.status !== undefined) return job;
    } catch (error) {
      const isUnknown = error instanceof ProviderError && error.failure.kind === 'not_found';
      const ageMs = call.nowMs - Number(batch.refs.created_at ?? 0) * 1000;
      if (isUnknown && ageMs < visibilityMs) return null;
      throw error;
    }
    throw new ProviderError(badResponse(200, `${access.provider} answered without the status of the job.`));
  }

  async function* list(query: { nameContains?: string }, call: BatchCall): AsyncIterable<ModelInvocationJobSummary> {
    let nextToken: string | undefined;
    do {
      const page = await run(call, ({ sdk, client }, abortSignal) =>
        client.send(
          new sdk.ListModelInvocationJobsCommand({
            ...query,
            maxResults: 1000,
            ...(nextToken !== undefined && { nextToken }),
          }),
          { abortSignal },
        ),
      );
      yield* page.invocationJobSummaries ?? [];
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
  }

  return {
    list,
    async create(input, call) {
      const { jobArn } = await run(call, ({ sdk, client }, abortSignal) =>
        client.send(new sdk.CreateModelInvocationJobCommand(input), { abortSignal }),
      );
      if (jobArn !== undefined) return jobArn;
      throw new ProviderError(badResponse(200, `${access.provider} answered without the ARN of the job.`));
    },
    async named(token, call) {
      const name = jobNameOf(token);
      for await (const job of list({ nameContains: name }, call)) if (job.jobName === name) return job;
      return null;
    },
    async poll(batch, outputs, call) {
      const job = await getIfKnown(batch, call);
      if (job === null) return notYet;
      const progress = progressOf(job, access);
      if (progress.state !== 'ended' || (await isVisible(job, batch, outputs, call))) return progress;
      return { ...progress, state: 'running', reason: null };
    },
    async stop(arn, call) {
      try {
        await run(call, ({ sdk, client }, abortSignal) =>
          client.send(new sdk.StopModelInvocationJobCommand({ jobIdentifier: arn }), { abortSignal }),
        );
      } catch (error) {
        // Conflict and validation errors also say that the job has ended, or is stopping already.
        const isRefusal = error instanceof ProviderError && error.failure.status === 400;
        if (!isRefusal) throw error;
        const { status = '' } = await get(arn, call);
        if (status !== 'Stopping' && stateOf(status).state === 'running') throw error;
      }
    },
  };
}

/** An output may be listed a while after the job has ended; a job in which no record ran has none. */
async function isVisible(
  job: GetModelInvocationJobCommandOutput,
  batch: ProviderBatch,
  outputs: Outputs,
  call: BatchCall,
): Promise<boolean> {
  const { processedRecordCount: processed, endTime } = job;
  if (processed === 0 || (processed === undefined && job.status !== 'Completed')) return true;
  if (endTime !== undefined && call.nowMs - endTime.getTime() > visibilityMs) return true;
  return hasOutput(batch, outputs, call);
}

function progressOf(job: GetModelInvocationJobCommandOutput, { provider, secrets }: Access): Progress {
  const raw = job.status ?? '';
  const { state, reason } = stateOf(raw);
  const failure = state === 'failed' ? failureOfJob(raw, job.message ?? '', provider, secrets) : null;
  const { $metadata: _metadata, ...details } = job;
  const { totalRecordCount: total, successRecordCount: succeeded, errorRecordCount: failed } = job;
  const endedAt = job.endTime === undefined ? null : Math.floor(job.endTime.getTime() / 1000);
  return {
    state,
    reason,
    raw,
    endedAt,
    counts: total === undefined ? null : { total, succeeded: succeeded ?? 0, failed: failed ?? 0 },
    failure,
    lines: failure?.kind === 'invalid_request' ? linesNamed(job.message ?? '').map((line) => ({ line, failure })) : [],
    refs: {
      ...(endedAt !== null && { ended_at: String(endedAt) }),
      ...(job.processedRecordCount !== undefined && { processed: String(job.processedRecordCount) }),
    },
    details,
  };
}
