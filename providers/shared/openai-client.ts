import type { HttpResponse } from '../../src/ports/http-client.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import { type Call, type ImmediateApi, ProviderError, type Result } from '../contract.ts';
import { type AnswerContext, parseAnswer } from './answer.ts';
import { isFields } from './error-body.ts';
import { forwardedAnswer } from './openai-forwarded.ts';
import { type ResultReaders, resultOf, resultOfCall } from './openai-results.ts';
import { badResponse, failureOf, failureOfCall } from './openai-status.ts';

/** How to reach one OpenAI-shaped service. */
export interface OpenAIAccess {
  /** The operator's name of the provider, for messages. */
  provider: string;
  /** Sent with every call; credentials included. */
  headers: Readonly<Record<string, string>>;
  /** The credentials again, to be taken out of any text. */
  secrets: readonly string[];
}

/** Where a request goes: a full URL. `model` matters where the path names it. */
export type UrlOf = (member: string, endpoint: Endpoint, model: string) => string;

/** Headers of a call with a bearer token, or with none. */
export function bearerHeaders(token: string | undefined): Record<string, string> {
  return {
    'user-agent': 'weir',
    'content-type': 'application/json',
    ...(token && { authorization: `Bearer ${token}` }),
  };
}

/** The contract's `execute` for a service that speaks OpenAI's shapes. */
export function createExecute(access: OpenAIAccess, urlOf: UrlOf, readers: ResultReaders): ImmediateApi['execute'] {
  return (request, call): Promise<Result> => {
    const context = contextOf(access, call);
    return call.http
      .request({
        method: 'POST',
        url: urlOf(call.member, request.endpoint, request.model),
        headers: access.headers,
        body: request.bytes ?? request.body,
        timeoutMs: call.timeoutMs,
        maxResponseBytes: call.maxResponseBytes,
        signal: call.signal,
      })
      .then(
        (response) =>
          forwardedAnswer(request.endpoint, response, readers) ??
          resultOf(request.endpoint, response, context, readers),
        (error: unknown) => resultOfCall(error, context),
      );
  };
}

/** The model ids that `GET /v1/models` lists. Rejects with ProviderError. */
export async function listModels(url: string, access: OpenAIAccess, call: Call): Promise<string[]> {
  const context = contextOf(access, call);
  const response = await get(url, access, call).catch((error: unknown) => {
    throw new ProviderError(failureOfCall(error, context));
  });
  const answer = parseAnswer(response.body);
  if (response.status !== 200) throw new ProviderError(failureOf(response, answer, context));
  const list = isFields(answer.json) ? answer.json.data : answer.json;
  if (!Array.isArray(list)) {
    throw new ProviderError(badResponse(200, `${access.provider} answered its model list without a list.`));
  }
  const ids = list.map((model: unknown) => (isFields(model) ? model.id : undefined));
  return [...new Set(ids.filter((id) => typeof id === 'string'))];
}

/** The status that a GET answers with; null when there is no answer. */
export async function probe(url: string, access: OpenAIAccess, call: Call): Promise<number | null> {
  try {
    return (await get(url, access, call)).status;
  } catch {
    return null;
  }
}

function get(url: string, access: OpenAIAccess, call: Call): Promise<HttpResponse> {
  const { timeoutMs, maxResponseBytes, signal } = call;
  return call.http.request({ method: 'GET', url, headers: access.headers, timeoutMs, maxResponseBytes, signal });
}

function contextOf(access: OpenAIAccess, call: Call): AnswerContext {
  return { provider: access.provider, secrets: access.secrets, nowMs: call.nowMs };
}
