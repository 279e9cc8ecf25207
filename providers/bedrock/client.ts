import { toErrorBody } from '../../src/core/failure.ts';
import type { HttpResponse } from '../../src/ports/http-client.ts';
import type { Call, Failed, ImmediateApi, NativeRequest, Result } from '../contract.ts';
import { parseAnswer } from '../shared/answer.ts';
import { resultOfCall } from '../shared/openai-results.ts';
import { badResponse } from '../shared/openai-status.ts';
import { type AwsCredentials, signRequest } from '../shared/sigv4.ts';
import type { Access } from './access.ts';
import type { AnswerFacts } from './facts.ts';
import { knownModel } from './models.ts';
import { type EmbeddingWork, joinEmbeddings } from './pieces.ts';
import { resultOf } from './results.ts';
import { awsErrorOf, failureOfAws } from './status.ts';

/** Immediate calls: Converse or InvokeModel at the runtime endpoint, signed here. */
export function createImmediate(access: Access): ImmediateApi {
  return {
    members: [access.endpoints.runtime],
    async execute(request, call): Promise<Result> {
      let credentials: AwsCredentials;
      try {
        credentials = await access.credentials();
      } catch (error) {
        return noCredentials(error, access, call);
      }
      if (request.endpoint !== '/v1/embeddings') return ask(request, call, credentials, access);
      return embed(request, call, credentials, access);
    },
  };
}

/** Calls of one request under way at once. */
const partsAtOnce = 8;

/** The parts of an embeddings request, until one fails; they are one attempt. */
async function embed(request: NativeRequest, call: Call, credentials: AwsCredentials, access: Access): Promise<Result> {
  const { inputs, encoding } = JSON.parse(request.body) as EmbeddingWork;
  const parts: Result[] = [];
  for (let start = 0; start < inputs.length && !parts.some(hasFailed); start += partsAtOnce) {
    const group = inputs
      .slice(start, start + partsAtOnce)
      .map((input) => ({ ...request, body: JSON.stringify(input) }));
    parts.push(...(await Promise.all(group.map((part) => ask(part, call, credentials, access)))));
  }
  return joinEmbeddings(parts, encoding);
}

function hasFailed(part: Result): boolean {
  return !part.ok;
}

async function ask(request: NativeRequest, call: Call, credentials: AwsCredentials, access: Access): Promise<Result> {
  let response: HttpResponse;
  try {
    response = await send(request, call, credentials, access);
  } catch (error) {
    return resultOfCall(error, { provider: access.provider, secrets: access.secrets, nowMs: call.nowMs });
  }
  return resultOfResponse(request, response, call, access);
}

function send(request: NativeRequest, call: Call, credentials: AwsCredentials, access: Access): Promise<HttpResponse> {
  const known = knownModel(request.model, access.settings.profiles);
  const operation = known?.family.form === 'converse' ? 'converse' : 'invoke';
  const url = `${call.member}/model/${encodeURIComponent(request.model)}/${operation}`;
  const headers = { 'content-type': 'application/json', accept: 'application/json', 'user-agent': 'weir' };
  const signable = { method: 'POST', url, headers, body: request.body };
  const scope = { region: access.settings.region, service: 'bedrock' };
  return call.http.request({
    method: 'POST',
    url,
    headers: signRequest(signable, credentials, scope, call.nowMs),
    body: request.body,
    timeoutMs: call.timeoutMs,
    maxResponseBytes: call.maxResponseBytes,
    signal: call.signal,
  });
}

function resultOfResponse(request: NativeRequest, response: HttpResponse, call: Call, access: Access): Result {
  const { provider, secrets } = access;
  const answer = parseAnswer(response.body);
  const requestId = idOf(response.headers);
  if (response.status < 200 || response.status > 299) {
    const error = awsErrorOf(response.status, response.headers, answer.json);
    const failure = failureOfAws(error, 'call', { provider, secrets, nowMs: call.nowMs });
    const body = JSON.stringify({ error: toErrorBody(failure) });
    return { ok: false, failure, requestId, body, usage: null, rawUsage: null };
  }
  if (answer.json === undefined) {
    const what = answer.text.trim() === '' ? 'an empty body' : 'a body that is not JSON, or was cut off';
    const failure = badResponse(response.status, `${provider} answered ${response.status} with ${what}.`);
    return { ok: false, failure, requestId, body: null, usage: null, rawUsage: null };
  }
  const result = resultOf(answer.json, factsOf(request, response, call, access, requestId));
  if (result.ok && answer.isDamaged) {
    result.warnings.push('the answer was not valid UTF-8; bad bytes were replaced by U+FFFD');
  }
  return result;
}

function factsOf(
  request: NativeRequest,
  response: HttpResponse,
  call: Call,
  { provider, secrets, settings }: Access,
  requestId: string | null,
): AnswerFacts {
  return {
    endpoint: request.endpoint,
    form: knownModel(request.model, settings.profiles)?.family.form ?? 'converse',
    provider,
    secrets,
    model: request.model,
    id: `chatcmpl-${requestId ?? call.nowMs}`,
    requestId,
    created: Math.floor(call.nowMs / 1000),
    inputTokens: response.headers['x-amzn-bedrock-input-token-count'],
  };
}

function idOf(headers: HttpResponse['headers']): string | null {
  const id = headers['x-amzn-requestid'];
  return id !== undefined && /^[\x21-\x7e]{1,200}$/.test(id) ? id : null;
}

function noCredentials(error: unknown, { provider, secrets }: Access, call: Call): Failed {
  const message = error instanceof Error ? error.message : 'no credentials';
  const name = 'CredentialsProviderError';
  const context = { provider, secrets, nowMs: call.nowMs };
  const failure = failureOfAws({ name, message, status: null, headers: {} }, 'call', context);
  return { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null };
}
