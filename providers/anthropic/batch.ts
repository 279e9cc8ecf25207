import { refusal } from '../../src/core/failure.ts';
import {
  type BatchApi,
  type BatchCall,
  type BatchLimits,
  type ProviderBatch,
  ProviderError,
  type ProviderRefs,
  type ShardInput,
} from '../contract.ts';
import { collectResults } from './batch-collect.ts';
import { findBatch, listOurs } from './batch-find.ts';
import { createBody, linePrefix } from './batch-input.ts';
import { markOf } from './batch-token.ts';
import type { AnthropicAccess } from './client.ts';
import { openControl } from './control.ts';
import { progressOf } from './status.ts';

/**
 * 100,000 requests and 256 MB of the whole body (Anthropic's batch guide), read as decimal and less what the marks add
 * to the lines: at most 49 bytes each.
 */
const limits: BatchLimits = {
  lines: 100_000,
  linesMin: null,
  bytes: 250_000_000,
  lineBytes: null,
  jobs: null,
  enqueuedTokens: null,
};

/** A new batch may not be seen at once by every server. */
const unseenMs = 600_000;

/** Message Batches. */
export function createBatchApi(access: AnthropicAccess): BatchApi {
  return {
    limits,
    place: { name: access.baseUrl, account: () => access.secrets.join(' ') },
    line: (key, { body }) => `${linePrefix}${key}","params":${body}}`,
    submit: (input, call) => submit(input, access, call),
    find: (token, refs, call) => findBatch(token, refs, access, call),
    async poll({ id, refs }, call) {
      const control = await openControl(access, call);
      try {
        const { batch, details } = await control.retrieve(id);
        return progressOf(batch, details);
      } catch (error) {
        if (!isNotFound(error) || call.nowMs - Number(refs.submitted_ms ?? 0) > unseenMs) throw error;
        const none = { counts: null, failure: null, lines: [], refs: {}, details: {} };
        return { ...none, state: 'running', reason: null, raw: 'not_found' };
      }
    },
    results: (batch, call) => collectResults(batch, access, call),
    cancel: (batch, call) => cancel(batch.id, access, call),
    cleanup: (refs, call) => cleanup(refs, access, call),
    inventory: (call) => listOurs(access, call),
  };
}

async function submit(input: ShardInput, access: AnthropicAccess, call: BatchCall): Promise<ProviderBatch> {
  const unknown = Object.keys(input.options)[0];
  if (unknown !== undefined) {
    const message = `Message batches have no field '${unknown}' in their create call. Remove it from provider_options.`;
    throw new ProviderError(refusal('unsupported', 'unknown_option', message, `provider_options.${unknown}`));
  }
  const control = await openControl(access, call);
  const refs: ProviderRefs = {
    token: input.token,
    endpoint: input.endpoint,
    lines: String(input.lines),
    submitted_ms: String(call.nowMs),
  };
  await call.saved(refs);
  const chunks = createBody(input.open(), await markOf(input.token));
  const { batch } = await control.create(streamOf(chunks));
  await call.saved({ batch_id: batch.id });
  return { id: batch.id, refs: { ...refs, batch_id: batch.id } };
}

/** A stream that asks for the next chunk only when the last one was taken. */
function streamOf(chunks: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

async function cancel(id: string, access: AnthropicAccess, call: BatchCall): Promise<void> {
  const control = await openControl(access, call);
  try {
    await control.cancel(id);
  } catch (error) {
    if (!(error instanceof ProviderError) || error.failure.kind !== 'invalid_request') throw error;
    // A batch that has ended cannot be cancelled, which is as good.
    const { batch } = await control.retrieve(id);
    if (batch.status !== 'ended') throw error;
  }
}

/** Deletes the batch with its results; there are no files beside it. */
async function cleanup(refs: ProviderRefs, access: AnthropicAccess, call: BatchCall): Promise<string[]> {
  const id = refs.batch_id;
  if (id === undefined) return [];
  try {
    await (await openControl(access, call)).remove(id);
    return [id];
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof ProviderError && error.failure.kind === 'not_found';
}
