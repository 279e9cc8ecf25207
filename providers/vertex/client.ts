import type { HttpRequest, HttpResponse, HttpStream } from '../../src/ports/http-client.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import {
  type AnswerStream,
  type Call,
  type Failed,
  type ImmediateApi,
  type NativeRequest,
  ProviderError,
  type Result,
} from '../contract.ts';
import { type AnswerContext, type ParsedAnswer, parseAnswer, requestIdOf } from '../shared/answer.ts';
import { fromMessage } from '../shared/anthropic-messages-answer.ts';
import { MessageStream, streamed } from '../shared/anthropic-messages-stream.ts';
import { isFields } from '../shared/error-body.ts';
import type { GoogleTokens } from '../shared/google-auth.ts';
import { toAnswerStream } from '../shared/native-stream.ts';
import { badResponse, failureOfCall } from '../shared/openai-status.ts';
import { answerAs } from '../shared/responses-as-chat.ts';
import { serviceUrl, type VertexSettings } from './config.ts';
import { type Embedded, type EmbeddingRequest, readPrediction } from './embeddings.ts';
import { GeminiStream } from './gemini-stream.ts';
import { familyOf, modelPath } from './models.ts';
import { failedResult, type ResultContext, resultOfEmbeddings, resultOfGemini } from './results.ts';
import { failureOf } from './status.ts';
import { usageFromEmbeddings } from './usage.ts';

interface Exchange {
  response: HttpResponse;
  answer: ParsedAnswer;
  context: ResultContext;
}

/** Immediate mode over generateContent, rawPredict (Claude) and predict (embeddings). */
export class VertexImmediate implements ImmediateApi {
  readonly members: readonly string[];
  readonly #provider: string;
  readonly #tokens: GoogleTokens;
  readonly #parent: string;

  constructor(provider: string, settings: VertexSettings, tokens: GoogleTokens) {
    this.members = [serviceUrl(settings)];
    this.#provider = provider;
    this.#tokens = tokens;
    this.#parent = `projects/${settings.project}/locations/${settings.location}`;
  }

  /** One call, several for embeddings of a model that takes one text at a time. Never throws. */
  async execute(request: NativeRequest, call: Call): Promise<Result> {
    const family = familyOf(request.model);
    if (family?.kind === 'embedding') return this.#embed(request, family.instances, call);
    const isClaude = family?.kind === 'claude';
    const exchange = await this.#post(request.model, isClaude ? 'rawPredict' : 'generateContent', request.body, call);
    return 'failure' in exchange ? exchange : resultOfChat(request.endpoint, exchange, isClaude);
  }

  /** streamGenerateContent, or streamRawPredict for Claude. Never throws. */
  async stream(
    { endpoint, model, body }: NativeRequest,
    _options: unknown,
    call: Call,
  ): Promise<AnswerStream | Failed> {
    const isClaude = familyOf(model)?.kind === 'claude';
    const method = isClaude ? 'streamRawPredict' : 'streamGenerateContent?alt=sse';
    try {
      const asked = isClaude ? streamed(body) : body;
      const { response, context } = await this.#ask(model, method, asked, call, (request) => call.http.stream(request));
      const mapper = isClaude
        ? new MessageStream({ context, body, read: (message) => fromMessage(message, context) })
        : new GeminiStream(context);
      const whole = (answered: HttpResponse): Result => {
        const exchange = { response: answered, answer: parseAnswer(answered.body), context };
        return troubleOf(exchange) ?? resultOfChat(endpoint, exchange, isClaude);
      };
      return await toAnswerStream(response, { endpoint, context, requestId: context.requestId, mapper, whole });
    } catch (error) {
      return this.#failed(error, call);
    }
  }

  async #embed({ model, body }: NativeRequest, most: number, call: Call): Promise<Result> {
    const { instances, ...asked } = JSON.parse(body) as EmbeddingRequest;
    const { dimensions } = asked;
    // A text that is too long is an error, as with OpenAI, and not silently cut.
    const parameters = { autoTruncate: false, ...(dimensions !== null && { outputDimensionality: dimensions }) };
    const embedded: Embedded[] = [];
    let last: ResultContext = { ...this.#context(call), model, requestId: null };
    for (let start = 0; start < instances.length; start += most) {
      const texts = instances.slice(start, start + most);
      const exchange = await this.#post(model, 'predict', JSON.stringify({ instances: texts, parameters }), call);
      const spent = usageFromEmbeddings(embedded.map(({ tokens }) => tokens));
      if ('failure' in exchange) return { ...exchange, usage: spent.usage, rawUsage: spent.raw };
      last = exchange.context;
      const predictions = readPredictions(exchange.answer.json, texts.length);
      if (predictions === null) {
        const message = `${this.#provider} did not answer with one embedding for each text.`;
        return failedResult(badResponse(200, message), last, spent);
      }
      embedded.push(...predictions);
    }
    return resultOfEmbeddings(embedded, asked, last);
  }

  /** One answer, or why there is none. */
  async #post(model: string, method: string, body: string, call: Call): Promise<Exchange | Failed> {
    try {
      const asked = await this.#ask(model, method, body, call, (request) => call.http.request(request));
      const exchange = { ...asked, answer: parseAnswer(asked.response.body) };
      return troubleOf(exchange) ?? exchange;
    } catch (error) {
      return this.#failed(error, call);
    }
  }

  /** Asks with a token; one that is refused is renewed once. */
  async #ask<Response extends HttpResponse | HttpStream>(
    model: string,
    method: string,
    body: string,
    call: Call,
    send: (request: HttpRequest) => Promise<Response>,
  ): Promise<{ response: Response; context: ResultContext }> {
    const url = `${call.member}/v1/${this.#parent}/${modelPath(model)}:${method}`;
    const { timeoutMs, maxResponseBytes, signal } = call;
    const sendWith = (token: string): Promise<Response> => {
      const headers = { 'user-agent': 'weir', 'content-type': 'application/json', authorization: `Bearer ${token}` };
      return send({ method: 'POST', url, headers, body, timeoutMs, maxResponseBytes, signal });
    };
    let token = await this.#tokens.get(call);
    let response = await sendWith(token);
    if (response.status === 401) {
      this.#tokens.forget(token);
      if (!(response.body instanceof Uint8Array)) await drain(response.body);
      token = await this.#tokens.get(call);
      response = await sendWith(token);
    }
    const requestId = requestIdOf(response.headers);
    return { response, context: { ...this.#context(call), secrets: [token], model, requestId } };
  }

  #failed(error: unknown, call: Call): Failed {
    const failure = error instanceof ProviderError ? error.failure : failureOfCall(error, this.#context(call));
    return failedResult(failure, { requestId: null });
  }

  #context(call: Call): AnswerContext {
    return { provider: this.#provider, secrets: [], nowMs: call.nowMs };
  }
}

function resultOfChat(endpoint: Endpoint, { answer, context }: Exchange, isClaude: boolean): Result {
  const result = isClaude ? fromMessage(answer.json, context) : resultOfGemini(answer.json, context);
  if (!result.ok) return result;
  const damage = answer.isDamaged ? ['the answer was not valid UTF-8; bad bytes were replaced by U+FFFD'] : [];
  return answerAs(endpoint, { ...result, warnings: [...result.warnings, ...damage] });
}

/** Reads what nobody wants, so that its connection is free again. */
async function drain(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _piece of body);
}

/** Why an exchange brought no answer; null when it did. */
function troubleOf({ response, answer, context }: Exchange): Failed | null {
  const { status } = response;
  if (status < 200 || status > 299) return failedResult(failureOf(response, answer, context), context);
  if (isFields(answer.json) && answer.json.error === undefined) return null;
  const isError = isFields(answer.json);
  const what = isError ? 'an error under a status of success' : 'a body that is no JSON object, or was cut off';
  const result = failedResult(badResponse(status, `${context.provider} answered ${status} with ${what}.`), context);
  return { ...result, body: null };
}

function readPredictions(json: unknown, count: number): Embedded[] | null {
  const predictions: unknown[] = isFields(json) && Array.isArray(json.predictions) ? json.predictions : [];
  const read = predictions.map(readPrediction).filter((one) => one !== null);
  return read.length === count && predictions.length === count ? read : null;
}
