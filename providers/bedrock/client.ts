import { toErrorBody } from '../../src/core/failure.ts';
import type { Fields } from '../../src/core/fields.ts';
import type { HttpRequest, HttpResponse } from '../../src/ports/http-client.ts';
import type { AnswerStream, Call, Failed, ImmediateApi, NativeRequest, Result } from '../contract.ts';
import { type AnswerContext, parseAnswer } from '../shared/answer.ts';
import { MessageStream } from '../shared/anthropic-messages-stream.ts';
import { toAnswerStream } from '../shared/native-stream.ts';
import { resultOfCall } from '../shared/openai-results.ts';
import { badResponse } from '../shared/openai-status.ts';
import { type AwsCredentials, signRequest } from '../shared/sigv4.ts';
import { readData } from '../shared/stream-answer.ts';
import type { Access } from './access.ts';
import { claudeResult } from './claude.ts';
import { ConverseStream } from './converse-stream.ts';
import { eventStreamType, readAwsEvents } from './event-stream.ts';
import type { AnswerFacts } from './facts.ts';
import { knownModel, type ModelForm } from './models.ts';
import { type EmbeddingWork, joinEmbeddings } from './pieces.ts';
import { converseResult, resultOf } from './results.ts';
import { awsErrorOf, failureOfAws } from './status.ts';

/** Immediate calls: Converse or InvokeModel at the runtime endpoint, signed here. */
export function createImmediate(access: Access): ImmediateApi {
  return {
    members: [access.endpoints.runtime],
    async execute(request, call): Promise<Result> {
      const credentials = await credentialsOf(access, call);
      if ('failure' in credentials) return credentials;
      if (request.endpoint !== '/v1/embeddings') return ask(request, call, credentials, access);
      return embed(request, call, credentials, access);
    },
    async stream(request, _options, call): Promise<AnswerStream | Failed> {
      const credentials = await credentialsOf(access, call);
      if ('failure' in credentials) return credentials;
      return openStream(request, call, credentials, access);
    },
  };
}

/** ConverseStream, or InvokeModelWithResponseStream for Claude. Never throws. */
async function openStream(
  request: NativeRequest,
  call: Call,
  credentials: AwsCredentials,
  access: Access,
): Promise<AnswerStream | Failed> {
  const context = { provider: access.provider, secrets: access.secrets, nowMs: call.nowMs };
  const isConverse = formOf(request, access) === 'converse';
  const operation = isConverse ? 'converse-stream' : 'invoke-with-response-stream';
  try {
    const response = await call.http.stream(signed(request, operation, eventStreamType, call, credentials, access));
    const requestId = idOf(response.headers);
    const facts = factsOf(request, response.headers, call, access, requestId);
    const mapper = isConverse
      ? new ConverseStream(context, (output) => converseResult(output, facts))
      : new MessageStream({ context, body: request.body, read: (message) => claudeResult(message, facts) });
    return await toAnswerStream(response, {
      endpoint: request.endpoint,
      context,
      requestId,
      mapper,
      type: eventStreamType,
      whole: (answer) => resultOfResponse(request, answer, call, access),
      async *events(answer) {
        for await (const { type, data } of readAwsEvents(answer, context)) {
          yield isConverse ? { [type]: data } : readChunk(data, answer.status, context);
        }
      },
    });
  } catch (error) {
    return resultOfCall(error, context);
  }
}

/** The event of the model's own stream that a chunk of InvokeModelWithResponseStream carries. */
function readChunk({ bytes }: Fields, status: number, context: AnswerContext): Fields {
  return readData(Buffer.from(String(bytes ?? ''), 'base64').toString('utf8'), status, context);
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
    const operation = formOf(request, access) === 'converse' ? 'converse' : 'invoke';
    response = await call.http.request(signed(request, operation, 'application/json', call, credentials, access));
  } catch (error) {
    return resultOfCall(error, { provider: access.provider, secrets: access.secrets, nowMs: call.nowMs });
  }
  return resultOfResponse(request, response, call, access);
}

function formOf({ model }: NativeRequest, { settings }: Access): ModelForm {
  return knownModel(model, settings.profiles)?.family.form ?? 'converse';
}

function signed(
  request: NativeRequest,
  operation: string,
  accept: string,
  call: Call,
  credentials: AwsCredentials,
  access: Access,
): HttpRequest {
  const url = `${call.member}/model/${encodeURIComponent(request.model)}/${operation}`;
  const headers = { 'content-type': 'application/json', accept, 'user-agent': 'weir' };
  const signable = { method: 'POST', url, headers, body: request.body };
  const scope = { region: access.settings.region, service: 'bedrock' };
  return {
    method: 'POST',
    url,
    headers: signRequest(signable, credentials, scope, call.nowMs),
    body: request.body,
    timeoutMs: call.timeoutMs,
    maxResponseBytes: call.maxResponseBytes,
    signal: call.signal,
  };
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
  const result = resultOf(answer.json, factsOf(request, response.headers, call, access, requestId));
  if (result.ok && answer.isDamaged) {
    result.warnings.push('the answer was not valid UTF-8; bad bytes were replaced by U+FFFD');
  }
  return result;
}

function factsOf(
  request: NativeRequest,
  headers: HttpResponse['headers'],
  call: Call,
  access: Access,
  requestId: string | null,
): AnswerFacts {
  return {
    endpoint: request.endpoint,
    form: formOf(request, access),
    provider: access.provider,
    secrets: access.secrets,
    model: request.model,
    id: `chatcmpl-${requestId ?? call.nowMs}`,
    requestId,
    created: Math.floor(call.nowMs / 1000),
    inputTokens: headers['x-amzn-bedrock-input-token-count'],
  };
}

function idOf(headers: HttpResponse['headers']): string | null {
  const id = headers['x-amzn-requestid'];
  return id !== undefined && /^[\x21-\x7e]{1,200}$/.test(id) ? id : null;
}

async function credentialsOf(access: Access, call: Call): Promise<AwsCredentials | Failed> {
  return access.credentials().catch((error: unknown) => noCredentials(error, access, call));
}

function noCredentials(error: unknown, { provider, secrets }: Access, call: Call): Failed {
  const message = error instanceof Error ? error.message : 'no credentials';
  const name = 'CredentialsProviderError';
  const context = { provider, secrets, nowMs: call.nowMs };
  const failure = failureOfAws({ name, message, status: null, headers: {} }, 'call', context);
  return { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null };
}
