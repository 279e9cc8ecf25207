import type { HttpResponse } from '../../src/ports/http-client.ts';
import {
  type Call,
  type Failed,
  type ImmediateApi,
  type NativeRequest,
  ProviderError,
  type Result,
} from '../contract.ts';
import { type AnswerContext, type ParsedAnswer, parseAnswer, requestIdOf } from '../shared/answer.ts';
import { fromMessage } from '../shared/anthropic-messages-answer.ts';
import { isFields } from '../shared/error-body.ts';
import type { GoogleTokens } from '../shared/google-auth.ts';
import { badResponse, failureOfCall } from '../shared/openai-status.ts';
import { answerAs } from '../shared/responses-as-chat.ts';
import { serviceUrl, type VertexSettings } from './config.ts';
import { type Embedded, type EmbeddingRequest, readPrediction } from './embeddings.ts';
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
    if ('failure' in exchange) return exchange;
    const { answer, context } = exchange;
    const result = isClaude ? fromMessage(answer.json, context) : resultOfGemini(answer.json, context);
    if (!result.ok) return result;
    const damage = answer.isDamaged ? ['the answer was not valid UTF-8; bad bytes were replaced by U+FFFD'] : [];
    return answerAs(request.endpoint, { ...result, warnings: [...result.warnings, ...damage] });
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

  /** One answer, or why there is none; a token that is refused is renewed once. */
  async #post(model: string, method: string, body: string, call: Call): Promise<Exchange | Failed> {
    const url = `${call.member}/v1/${this.#parent}/${modelPath(model)}:${method}`;
    try {
      const token = await this.#tokens.get(call);
      let exchange = await this.#exchange(url, body, token, model, call);
      if (exchange.response.status === 401) {
        this.#tokens.forget(token);
        exchange = await this.#exchange(url, body, await this.#tokens.get(call), model, call);
      }
      return troubleOf(exchange) ?? exchange;
    } catch (error) {
      const context = this.#context(call);
      const failure = error instanceof ProviderError ? error.failure : failureOfCall(error, context);
      return failedResult(failure, { requestId: null });
    }
  }

  async #exchange(url: string, body: string, token: string, model: string, call: Call): Promise<Exchange> {
    const { timeoutMs, maxResponseBytes, signal } = call;
    const headers = { 'user-agent': 'weir', 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const request = { method: 'POST', url, headers, body, timeoutMs, maxResponseBytes, signal } as const;
    const response = await call.http.request(request);
    const requestId = requestIdOf(response.headers);
    const context = { ...this.#context(call), secrets: [token], model, requestId };
    return { response, answer: parseAnswer(response.body), context };
  }

  #context(call: Call): AnswerContext {
    return { provider: this.#provider, secrets: [], nowMs: call.nowMs };
  }
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
