import type { HttpRequest, HttpResponse, HttpStream } from '../../src/ports/http-client.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import { type Call, type ImmediateApi, ProviderError } from '../contract.ts';
import { type AnswerContext, parseAnswer, readId } from '../shared/answer.ts';
import { fromMessage } from '../shared/anthropic-messages-answer.ts';
import { MessageStream, streamed } from '../shared/anthropic-messages-stream.ts';
import { isFields } from '../shared/error-body.ts';
import { type NativeStream, toAnswerStream } from '../shared/native-stream.ts';
import { resultOfCall } from '../shared/openai-results.ts';
import { badResponse, failureOfCall } from '../shared/openai-status.ts';
import type { AnthropicSettings } from './config.ts';
import { resultOf } from './results.ts';
import { failureOfControl } from './status.ts';

/** Pinned: a newer version refuses sampling parameters, whatever the model (migration guide of 2026-10-21). */
export const apiVersion = '2023-06-01';

/** How to reach the service, and with what. */
export interface AnthropicAccess {
  provider: string;
  /** Without a slash at its end, and without `/v1`. */
  baseUrl: string;
  apiKey: string;
  /** Sent with every call beside the credential. */
  headers: Readonly<Record<string, string>>;
  secrets: readonly string[];
}

export function accessOf(provider: string, settings: AnthropicSettings): AnthropicAccess {
  const { api_key: apiKey, workspace_id: workspace, betas } = settings;
  return {
    provider,
    baseUrl: settings.base_url.replace(/\/+$/, '').replace(/\/v1$/, ''),
    apiKey,
    headers: {
      'user-agent': 'weir',
      'anthropic-version': apiVersion,
      ...(betas !== undefined && betas.length > 0 && { 'anthropic-beta': betas.join(',') }),
      ...(workspace !== undefined && { 'anthropic-workspace-id': workspace }),
    },
    secrets: [apiKey, ...(workspace === undefined ? [] : [workspace])],
  };
}

export interface AnthropicClient {
  immediate: ImmediateApi;
  listModels(call: Call): Promise<string[]>;
}

/** The ordinary Messages API. */
export function createAnthropicClient(access: AnthropicAccess): AnthropicClient {
  const headers = { ...access.headers, 'x-api-key': access.apiKey, 'content-type': 'application/json' };
  const url = `${access.baseUrl}/v1/messages`;
  const toSend = (body: string, { timeoutMs, maxResponseBytes, signal }: Call): HttpRequest => ({
    method: 'POST',
    url,
    headers,
    body,
    timeoutMs,
    maxResponseBytes,
    signal,
  });
  return {
    immediate: {
      members: [access.baseUrl],
      async execute(request, call) {
        const context = contextOf(access, call);
        let response: HttpResponse;
        try {
          response = await call.http.request(toSend(request.body, call));
        } catch (error) {
          return resultOfCall(error, context);
        }
        return resultOf(request.endpoint, response, context);
      },
      async stream({ endpoint, body }, _options, call) {
        const context = contextOf(access, call);
        try {
          const response = await call.http.stream(toSend(streamed(body), call));
          return await toAnswerStream(response, streamOf(endpoint, body, response, context));
        } catch (error) {
          return resultOfCall(error, context);
        }
      },
    },
    listModels: (call) => listModels(access, headers, call),
  };
}

/** How a streamed answer is read: as one that came whole. */
function streamOf(endpoint: Endpoint, body: string, { headers }: HttpStream, context: AnswerContext): NativeStream {
  const requestId = readId(headers['request-id']);
  const read = (message: unknown) => fromMessage(message, { ...context, requestId });
  const mapper = new MessageStream({ context, body, read });
  return { endpoint, context, requestId, mapper, whole: (response) => resultOf(endpoint, response, context) };
}

export function contextOf(access: AnthropicAccess, { nowMs }: { nowMs: number }): AnswerContext {
  return { provider: access.provider, secrets: access.secrets, nowMs };
}

/** Anthropic lists a thousand models a page at most; more than a few pages are a loop. */
const mostPages = 20;

async function listModels(access: AnthropicAccess, headers: Record<string, string>, call: Call): Promise<string[]> {
  const ids = new Set<string>();
  let query = 'limit=1000';
  for (let page = 0; page < mostPages; page += 1) {
    const { data, has_more: hasMore, last_id: lastId } = await getModels(access, headers, query, call);
    if (!Array.isArray(data)) {
      throw new ProviderError(badResponse(200, `${access.provider} answered its model list without a list.`));
    }
    for (const model of data) if (isFields(model) && typeof model.id === 'string') ids.add(model.id);
    if (hasMore !== true || typeof lastId !== 'string') break;
    query = `limit=1000&after_id=${encodeURIComponent(lastId)}`;
  }
  return [...ids];
}

async function getModels(
  access: AnthropicAccess,
  headers: Record<string, string>,
  query: string,
  call: Call,
): Promise<Readonly<Record<string, unknown>>> {
  const { timeoutMs, maxResponseBytes, signal } = call;
  const context = contextOf(access, call);
  const url = `${access.baseUrl}/v1/models?${query}`;
  const response = await call.http
    .request({ method: 'GET', url, headers, timeoutMs, maxResponseBytes, signal })
    .catch((error: unknown) => {
      throw new ProviderError(failureOfCall(error, context));
    });
  const { json } = parseAnswer(response.body);
  if (response.status !== 200)
    throw new ProviderError(failureOfControl(response.status, json, response.headers, context));
  return isFields(json) ? json : {};
}
