import { setTimeout as wait } from 'node:timers/promises';
import { type Failure, refusal } from '../../src/core/failure.ts';
import { HttpFailure, type HttpResponse } from '../../src/ports/http-client.ts';
import { type BatchCall, ProviderError } from '../contract.ts';
import { type AnswerContext, type ParsedAnswer, parseAnswer } from './answer.ts';
import type { GoogleTokens } from './google-auth.ts';
import { failureOfGoogle } from './google-status.ts';
import { isNeverSent } from './http-fetch.ts';
import { badResponse, failureOfCall } from './openai-status.ts';

export type GoogleCall = Omit<BatchCall, 'saved' | 'http'>;

export interface GoogleRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  url: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array<ArrayBuffer>;
}

/** Reads an error answer; which words mean what depends on what was asked. */
export type FailureReader = (response: HttpResponse, answer: ParsedAnswer, context: AnswerContext) => Failure;

const largestError = 1_000_000;

/** Calls Google's APIs over `fetch` with a bearer token. Every member rejects with ProviderError. */
export class GoogleClient {
  readonly provider: string;
  readonly #tokens: GoogleTokens;
  /** Services may repeat it in their errors. */
  #lastToken = '';

  constructor(provider: string, tokens: GoogleTokens) {
    this.provider = provider;
    this.#tokens = tokens;
  }

  /**
   * One answer, whatever its status; a token that is refused is renewed once. `signal` bounds the whole exchange, the
   * body too. The credential never follows a redirect.
   */
  async send(request: GoogleRequest, call: GoogleCall, signal: AbortSignal): Promise<Response> {
    const token = await this.#tokens.get(call);
    const response = await this.#fetch(request, token, call, signal);
    if (response.status !== 401) return response;
    await response.body?.cancel().catch(() => {});
    this.#tokens.forget(token);
    return this.#fetch(request, await this.#tokens.get(call), call, signal);
  }

  /** The JSON of a 2xx answer; undefined when it is empty. */
  async json(request: GoogleRequest, call: GoogleCall, readFailure: FailureReader = failureOfGoogle): Promise<unknown> {
    const signal = deadlineOf(call);
    const response = await this.send(request, call, signal);
    if (!response.ok) throw await this.failure(response, call, readFailure);
    const answer = parseAnswer(await this.#read(response, call.maxResponseBytes, call));
    if (answer.json !== undefined || answer.text.trim() === '') return answer.json;
    throw new ProviderError(badResponse(response.status, `${this.provider} answered with a body that is not JSON.`));
  }

  /** What an answer other than 2xx states. */
  async failure(response: Response, call: GoogleCall, read: FailureReader = failureOfGoogle): Promise<ProviderError> {
    const body = await this.#read(response, largestError, call).catch(() => new Uint8Array());
    const headers = Object.fromEntries(response.headers.entries());
    const context = this.context(call);
    return new ProviderError(read({ status: response.status, headers, body }, parseAnswer(body), context));
  }

  context(call: { nowMs: number }): AnswerContext {
    const secrets = this.#lastToken === '' ? [] : [this.#lastToken];
    return { provider: this.provider, secrets, nowMs: call.nowMs };
  }

  /** The ProviderError of an exchange that broke. */
  broken(error: unknown, call: GoogleCall): ProviderError {
    if (error instanceof ProviderError) return error;
    return new ProviderError(failureOfCall(toHttpFailure(error, call.signal), this.context(call)));
  }

  async #fetch(request: GoogleRequest, token: string, call: GoogleCall, signal: AbortSignal): Promise<Response> {
    const { method, url, headers, body } = request;
    this.#lastToken = token;
    try {
      return await call.fetch(url, {
        method,
        headers: { 'user-agent': 'weir', ...headers, authorization: `Bearer ${token}` },
        body: body ?? null,
        redirect: 'manual',
        signal,
      });
    } catch (error) {
      throw this.broken(error, call);
    }
  }

  async #read(response: Response, maxBytes: number, call: GoogleCall): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response.body ?? []) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw new HttpFailure('too_large', true, `the answer is larger than ${maxBytes} bytes`);
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.broken(error, call);
    }
    const all = new Uint8Array(bytes);
    let offset = 0;
    for (const chunk of chunks) {
      all.set(chunk, offset);
      offset += chunk.length;
    }
    return all;
  }
}

/** The end of one exchange: the call's own timeout, or its caller's patience. */
export function deadlineOf(call: Pick<GoogleCall, 'timeoutMs' | 'signal'>): AbortSignal {
  const timeout = AbortSignal.timeout(call.timeoutMs);
  return call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]);
}

/** Trouble that another try may not meet. */
export function isPassing({ failure }: ProviderError): boolean {
  return ['connection', 'timeout', 'server_error', 'overloaded', 'rate_limited'].includes(failure.kind);
}

/** Waits before another try, twice as long after each. Rejects with ProviderError when the call is aborted. */
export async function pauseAfter(tries: number, client: GoogleClient, call: GoogleCall): Promise<void> {
  await wait(100 * 2 ** tries, undefined, { signal: call.signal }).catch((error: unknown) => {
    throw client.broken(error, call);
  });
}

function toHttpFailure(error: unknown, signal: AbortSignal | undefined): HttpFailure {
  if (error instanceof HttpFailure) return error;
  if (signal?.aborted) return new HttpFailure('aborted', true, 'the call was aborted');
  const name = error instanceof Error ? error.name : '';
  if (name === 'TimeoutError' || name === 'AbortError')
    return new HttpFailure('timeout', true, 'no complete answer in time');
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (isNeverSent(code)) return new HttpFailure('connect', false, `no connection (${code})`);
  return new HttpFailure('reset', true, 'the connection broke before the answer was complete');
}

/** The refusal of an address that a service named and that is not where it should be. */
export function foreignAddress(provider: string, what: string): ProviderError {
  const failure = refusal(
    'bad_response',
    'foreign_address',
    `${provider} named ${what} outside its own place; it is not used.`,
  );
  return new ProviderError({ ...failure, type: 'server_error', reachedProvider: true });
}
