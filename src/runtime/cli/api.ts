import type OpenAI from 'openai';
import { Agent, type Dispatcher, ProxyAgent, type RequestInit, type Response, fetch as undiciFetch } from 'undici';
import { formatProblem } from '../../core/problems.ts';
import type { ErrorBody } from '../../protocol/error.ts';
import { type ClientOptions, readClientOptions } from '../settings.ts';
import { CliError, EXIT, trouble, wrongUse } from './exit.ts';
import type { Terminal } from './terminal.ts';

const CALL_MS = 60_000;
const NO_TLS = 'no TLS';

/** A running Weir, over its public HTTP API. */
export class Api {
  readonly url: string;
  readonly #apiKey: string | null;
  // Followed outputs may be silent for long; calls that must answer have a time limit of their own.
  readonly #agent: Dispatcher;

  constructor(options: ClientOptions) {
    this.url = options.url;
    this.#apiKey = options.apiKey;
    const patience = { bodyTimeout: 0, headersTimeout: 0 };
    this.#agent = options.proxy ? new ProxyAgent({ uri: options.proxy.url, ...patience }) : new Agent(patience);
  }

  get<T>(path: string): Promise<T> {
    return this.#json<T>('GET', path);
  }

  /** `body` undefined sends none. Repeating the call under the same `idempotencyKey` changes nothing more. */
  post<T>(path: string, body?: unknown, idempotencyKey?: string): Promise<T> {
    return this.#json<T>('POST', path, body, idempotencyKey);
  }

  delete<T>(path: string): Promise<T> {
    return this.#json<T>('DELETE', path);
  }

  /** A successful answer whose body is still to be read. Throws CliError for the others. */
  async stream(path: string, signal?: AbortSignal): Promise<Response> {
    return this.#call(path, { method: 'GET', signal: signal ?? null });
  }

  /** Whether the server has this page. */
  async has(path: string): Promise<boolean> {
    const signal = AbortSignal.timeout(CALL_MS);
    const response = await undiciFetch(this.url + path, { signal, dispatcher: this.#agent }).catch(() => null);
    await response?.body?.cancel();
    return response?.ok === true;
  }

  /** The official client, for what is OpenAI's own. Its errors become ours through `fromSdk`. */
  async openai(): Promise<OpenAI> {
    const { default: Client } = await import('openai');
    return new Client({
      // The client insists on a key; a server tells better than it what is wrong with an empty one.
      apiKey: this.#apiKey ?? 'none',
      baseURL: `${this.url}/v1`,
      maxRetries: 2,
      // Node's own fetch takes a streamed body into memory whole when the network is slower than the disk; undici's waits.
      fetch: ((url: string, init: RequestInit) =>
        undiciFetch(url, { ...init, dispatcher: this.#agent })) as unknown as typeof fetch,
    });
  }

  /** Closes the connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #json<T>(method: string, path: string, body?: unknown, idempotencyKey?: string): Promise<T> {
    const response = await this.#call(path, {
      method,
      signal: AbortSignal.timeout(CALL_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      },
    });
    try {
      return (await response.json()) as T;
    } catch (error) {
      if (error instanceof SyntaxError) throw trouble(`${this.url} answered something that is no JSON. Is it a Weir?`);
      throw this.#noAnswer(error);
    }
  }

  async #call(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers as Record<string, string> | undefined);
    if (this.#apiKey !== null) headers.set('authorization', `Bearer ${this.#apiKey}`);
    let response: Response;
    try {
      response = await undiciFetch(this.url + path, { ...init, headers: [...headers], dispatcher: this.#agent });
    } catch (error) {
      if (init.signal?.aborted && !isTimeout(error)) throw error;
      throw this.#noAnswer(error);
    }
    if (response.ok) return response;
    throw this.refusal(response.status, await readError(response));
  }

  /** What the server's refusal means to whoever typed the command. */
  refusal(status: number, error: Partial<ErrorBody> | null): CliError {
    const said = error?.message ?? `${this.url} answered with HTTP ${status} and no error of Weir's. Is it a Weir?`;
    const details = { type: error?.type ?? 'server_error', code: error?.code ?? null, param: error?.param ?? null };
    const message = status === 401 ? this.#askForKey(said) : said;
    const isTrouble = status >= 500 || status === 429 || status === 408 || error === null;
    return new CliError(isTrouble ? EXIT.trouble : EXIT.wrongUse, message, details);
  }

  /** `said`: what the server says of the key, or of there being none, which is for other clients than this one. */
  #askForKey(said: string): string {
    if (this.#apiKey === null) return `${this.url} needs an API key. Set WEIR_API_KEY to a key of this server.`;
    return `${said} Check WEIR_API_KEY.`;
  }

  /** An error of the official client as ours. */
  fromSdk(error: unknown): CliError {
    const { status, error: body } = error as { status?: number; error?: Partial<ErrorBody> };
    if (typeof status === 'number') return this.refusal(status, body ?? null);
    return this.#noAnswer(error);
  }

  #noAnswer(error: unknown): CliError {
    if (isTimeout(error)) {
      return trouble(`Weir at ${this.url} did not answer within ${CALL_MS / 1000} s. Look at its log.`, {
        code: 'timeout',
      });
    }
    const reason = deepestReason(error);
    if (reason === NO_TLS) {
      const address = this.url.replace(/^https:/, 'http:');
      return trouble(`What listens at ${this.url} does not speak https. Set WEIR_URL to ${address}.`, {
        code: 'no_connection',
      });
    }
    const hint = 'Start it with npm start, or set WEIR_URL to where it runs.';
    return trouble(`Weir does not answer at ${this.url} (${reason}). ${hint}`, { code: 'no_connection' });
  }
}

/** The server that the environment names. Throws CliError when it names none properly. */
export function connect(terminal: Terminal): Api {
  const options = readClientOptions(terminal.environment);
  if (options.ok) return new Api(options.value);
  throw wrongUse(options.problems.map(formatProblem).join('\n'));
}

/** Runs `use` with the server that the environment names, and closes the connections after it. */
export async function withApi<T>(terminal: Terminal, use: (api: Api) => Promise<T>): Promise<T> {
  const api = connect(terminal);
  try {
    return await use(api);
  } finally {
    await api.close();
  }
}

async function readError(response: Response): Promise<Partial<ErrorBody> | null> {
  try {
    const { error } = (await response.json()) as { error?: Partial<ErrorBody> };
    return typeof error?.message === 'string' ? error : null;
  } catch {
    return null;
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'APIConnectionTimeoutError');
}

/** `fetch failed` says nothing; its cause does. */
function deepestReason(error: unknown): string {
  let reason = error;
  while (reason instanceof Error && reason.cause instanceof Error) reason = reason.cause;
  if (!(reason instanceof Error)) return String(reason);
  const { code } = reason as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') return NO_TLS;
  return reason.message || code || reason.name;
}
