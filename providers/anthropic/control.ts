import type Anthropic from '@anthropic-ai/sdk';
import { type BatchCall, ProviderError } from '../contract.ts';
import { badResponse } from '../shared/openai-status.ts';
import { type AnthropicAccess, contextOf } from './client.ts';
import { guardedFetch, providerErrorOf } from './control-fetch.ts';
import { failureOfControl, type RemoteBatch, readBatch } from './status.ts';

/** A batch as read, and the untouched answer. */
export interface SeenBatch {
  batch: RemoteBatch;
  details: unknown;
}

/** The calls of the batch service, through Anthropic's SDK; every one rejects with ProviderError. */
export interface Control {
  create(body: ReadableStream<Uint8Array>): Promise<SeenBatch>;
  retrieve(id: string): Promise<SeenBatch>;
  cancel(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  /** Newest first. */
  list(): AsyncGenerator<SeenBatch>;
}

const pageSize = 100;

/** The SDK is loaded with the first call: immediate mode never needs it. */
export async function openControl(access: AnthropicAccess, call: BatchCall): Promise<Control> {
  const { default: Client } = await import('@anthropic-ai/sdk');
  const { 'user-agent': _, ...headers } = access.headers;
  const client = new Client({
    apiKey: access.apiKey,
    authToken: null,
    baseURL: access.baseUrl,
    fetch: guardedFetch(call),
    maxRetries: 0,
    timeout: call.timeoutMs,
    logLevel: 'off',
    openTelemetry: false,
    defaultHeaders: headers,
  });
  const run = <Answer>(action: () => PromiseLike<Answer>) => answerOf(action, access, call);
  const seen = (details: unknown) => seenBatch(details, access);
  return {
    create: async (body) => {
      const sent = { body, headers: { 'content-type': 'application/json' } };
      return seen(await run(() => client.post('/v1/messages/batches', sent)));
    },
    retrieve: async (id) => seen(await run(() => client.messages.batches.retrieve(id))),
    cancel: async (id) => void (await run(() => client.messages.batches.cancel(id))),
    remove: async (id) => void (await run(() => client.messages.batches.delete(id))),
    list: () => listOf(client, run, seen),
  };
}

type Run = <Answer>(action: () => PromiseLike<Answer>) => Promise<Answer>;

async function* listOf(client: Anthropic, run: Run, seen: (details: unknown) => SeenBatch): AsyncGenerator<SeenBatch> {
  let page = await run(() => client.messages.batches.list({ limit: pageSize }));
  for (;;) {
    for (const item of Array.isArray(page.data) ? page.data : []) yield seen(item);
    if (!page.hasNextPage()) return;
    const last = page;
    page = await run(() => last.getNextPage());
  }
}

function seenBatch(details: unknown, { provider }: AnthropicAccess): SeenBatch {
  const batch = readBatch(details);
  if (batch === null) throw new ProviderError(badResponse(200, `${provider} answered without a message batch.`));
  return { batch, details };
}

async function answerOf<Answer>(
  action: () => PromiseLike<Answer>,
  access: AnthropicAccess,
  call: BatchCall,
): Promise<Answer> {
  const { APIError } = await import('@anthropic-ai/sdk');
  const context = contextOf(access, call);
  try {
    return await action();
  } catch (error) {
    if (error instanceof APIError && error.status !== undefined) {
      const headers = Object.fromEntries(error.headers?.entries() ?? []);
      throw new ProviderError(failureOfControl(error.status, error.error, headers, context));
    }
    if (error instanceof SyntaxError) {
      throw new ProviderError(
        badResponse(200, `${access.provider} answered with a body that is not JSON, or was cut off.`),
      );
    }
    throw providerErrorOf(error, call, context);
  }
}
