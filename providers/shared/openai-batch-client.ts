import type OpenAI from 'openai';
import { HttpFailure, type HttpResponse } from '../../src/ports/http-client.ts';
import { type BatchCall, ProviderError, type ShardInput } from '../contract.ts';
import { type AnswerContext, type ParsedAnswer, parseAnswer } from './answer.ts';
import { isFields, readErrorBody } from './error-body.ts';
import { redirectPolicy, toFailure } from './http-fetch.ts';
import type { BatchDialect } from './openai-batch-dialect.ts';
import type { RemoteFile } from './openai-batch-object.ts';
import { asBatchFailure } from './openai-batch-status.ts';
import type { ResultReaders } from './openai-results.ts';
import { badResponse, failureOfCall } from './openai-status.ts';

/** How to reach one service's files and batches. */
export interface BatchAccess {
  /** The operator's name of the provider, for messages. */
  provider: string;
  /** With the version, without a slash at the end. */
  baseUrl: string;
  /** Sent with every call; credentials included. */
  headers: Readonly<Record<string, string>>;
  /** Sent with every call. */
  query?: Readonly<Record<string, string>>;
  /** The credentials again, to be taken out of any text. */
  secrets: readonly string[];
  /** The service as such, where the base URL says more: the same batches are seen under each of its API versions. */
  address?: string;
  /** What tells whose batches are seen there; '' where the address says it all. */
  account: string;
  dialect: BatchDialect;
  readers: ResultReaders;
  /** Where files are kept instead of at the service itself. */
  blobs?: BlobFiles;
}

/** Files outside of the service, which it reads and writes by address. Members reject with ProviderError. */
export interface BlobFiles {
  /** Under which it writes the results. */
  folder: string;
  upload(access: BatchAccess, input: ShardInput, call: BatchCall): Promise<RemoteFile>;
  /** False when there was none. */
  remove(access: BatchAccess, id: string, call: BatchCall): Promise<boolean>;
  /** File objects of the inputs. */
  list(access: BatchAccess, call: BatchCall): AsyncIterable<unknown>;
  read(access: BatchAccess, id: string, call: BatchCall): AsyncGenerator<Uint8Array, { isVerified: boolean }>;
}

export interface BatchRequest {
  method: 'get' | 'post' | 'delete';
  /** Under the base URL. */
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** A JSON value, or a stream that is sent as it is. */
  body?: object;
}

/** How long a call may go without a sign of life. */
export class Patience {
  readonly #controller = new AbortController();
  readonly #ms: number;
  #timer: ReturnType<typeof setTimeout>;
  isOver = false;

  constructor(ms: number) {
    this.#ms = ms;
    this.#timer = this.#start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A sign of life: the time begins anew. */
  touch(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #start(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.isOver = true;
      this.#controller.abort();
    }, this.#ms);
  }
}

/** The JSON that a request is answered with. Rejects with ProviderError for any status but 2xx and for anything but JSON. */
export async function ask(access: BatchAccess, call: BatchCall, request: BatchRequest, patience?: Patience) {
  const response = await exchange(access, call, request, patience ?? new Patience(call.timeoutMs));
  const answer = parseAnswer(response.body);
  refuseFailure(access, call, response, answer);
  if (!isFields(answer.json) && !Array.isArray(answer.json)) {
    const what = answer.text.trim() === '' ? 'an empty body' : 'something that is not JSON, or was cut off';
    throw new ProviderError(
      badResponse(response.status, `${access.provider} answered ${response.status} with ${what}.`),
    );
  }
  if (isFields(answer.json) && isFields(answer.json.error) && answer.json.id === undefined) {
    const { message } = readErrorBody(answer.json, access.secrets);
    throw new ProviderError(badResponse(response.status, message ?? `${access.provider} answered with an error.`));
  }
  return answer.json;
}

/** The status of an answer whose body does not matter. Rejects only when there is no answer. */
export async function askStatus(
  access: BatchAccess,
  call: BatchCall,
  request: BatchRequest,
  accepted: readonly number[],
) {
  const response = await exchange(access, call, request, new Patience(call.timeoutMs));
  if (!accepted.includes(response.status)) refuseFailure(access, call, response, parseAnswer(response.body));
  return response.status;
}

/** Begins a download: resolves with the answer's headers read and its body to come. The caller ends `patience`. */
export async function openStream(
  access: BatchAccess,
  call: BatchCall,
  request: BatchRequest,
  patience: Patience,
): Promise<Response> {
  let streamed: Response | undefined;
  const response = await exchange(access, call, request, patience, (opened) => {
    streamed = opened;
  });
  if (streamed !== undefined) return streamed;
  refuseFailure(access, call, response, parseAnswer(response.body));
  throw new ProviderError(badResponse(response.status, `${access.provider} answered without a body.`));
}

export function contextOf(access: BatchAccess, call: BatchCall): AnswerContext {
  return { provider: access.provider, secrets: access.secrets, nowMs: call.nowMs };
}

/** What an exception of the platform's fetch means. */
export function failureOfFetch(
  error: unknown,
  access: BatchAccess,
  call: BatchCall,
  isTimeout: boolean,
): ProviderError {
  if (error instanceof ProviderError) return error;
  const failure = toFailure(error, isTimeout, call.signal?.aborted === true);
  return new ProviderError(failureOfCall(failure, contextOf(access, call)));
}

function refuseFailure(access: BatchAccess, call: BatchCall, response: HttpResponse, answer: ParsedAnswer): void {
  if (response.status >= 200 && response.status < 300) return;
  throw new ProviderError(asBatchFailure(access.readers.failureOf(response, answer, contextOf(access, call))));
}

/**
 * Sends a request through the official client and reads the answer ourselves: whole and bounded, or handed to `onStream` when it
 * is a 2xx. Neither retries nor redirects are followed.
 */
async function exchange(
  access: BatchAccess,
  call: BatchCall,
  request: BatchRequest,
  patience: Patience,
  onStream?: (response: Response) => void,
): Promise<HttpResponse> {
  if (call.signal?.aborted) {
    throw failureOfFetch(new HttpFailure('aborted', false, 'the call was aborted'), access, call, false);
  }
  let seen: HttpResponse | undefined;
  let trouble: unknown;
  const watched: typeof fetch = async (url, init) => {
    const signals = [patience.signal, init?.signal, call.signal].filter((signal) => signal instanceof AbortSignal);
    try {
      const response = await call.fetch(url, {
        ...init,
        ...redirectPolicy(init ?? {}),
        signal: AbortSignal.any(signals),
      });
      const isStream = onStream !== undefined && response.ok;
      if (isStream) onStream(response);
      const body = isStream ? new Uint8Array() : await readBounded(response, call.maxResponseBytes);
      seen = { status: response.status, headers: Object.fromEntries(response.headers), body };
    } catch (error) {
      trouble = error;
    }
    // What the client makes of the answer does not matter: it is read here.
    return new Response('{}', { headers: { 'content-type': 'application/json' } });
  };
  try {
    const client = await createClient(access, watched);
    const { method, path, query, headers, body } = request;
    await client[method](path, { ...(query && { query }), ...(headers && { headers }), ...(body && { body }) });
  } catch (error) {
    trouble ??= error;
  } finally {
    if (onStream === undefined || seen === undefined) patience.end();
  }
  if (seen === undefined) throw failureOfFetch(trouble, access, call, patience.isOver);
  return seen;
}

/** The official client, imported late: it is large, and not every process sends batches. */
async function createClient(access: BatchAccess, watched: typeof fetch): Promise<OpenAI> {
  const { default: Client } = await import('openai');
  const { 'content-type': _type, authorization = null, ...headers } = access.headers;
  return new Client({
    // The credentials are in the headers; nothing is to come from the environment.
    apiKey: 'in-headers',
    organization: null,
    project: null,
    baseURL: access.baseUrl,
    defaultHeaders: { authorization, ...headers },
    ...(access.query && { defaultQuery: { ...access.query } }),
    maxRetries: 0,
    // `Patience` bounds the call.
    timeout: 86_400_000,
    logLevel: 'off',
    fetch: watched,
  });
}

async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new HttpFailure('too_large', true, `the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const body = new Uint8Array(bytes);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.length;
  }
  return body;
}
