/**
 * What a provider is. A capability that a provider lacks is an absent member, never a stub.
 * One folder per provider implements this; providers/registry.ts lists them.
 */
import type { Failure } from '../src/core/failure.ts';
import type { Usage } from '../src/core/usage.ts';
import type { HttpClient } from '../src/ports/http-client.ts';
import type { Endpoint } from '../src/protocol/endpoint.ts';
import type { RequestLine } from '../src/protocol/request-line.ts';

export interface Provider {
  /** The operator's name for it, as in the config. */
  readonly name: string;
  readonly kind: string;
  /** Price-file provider id (config/prices); null when only the operator's own prices apply. */
  readonly priceProvider: string | null;
  readonly endpoints: readonly Endpoint[];
  /** Model names the operator listed; null means: ask `listModels`. */
  readonly models: readonly string[] | null;
  readonly limits: ProviderLimits;
  /** Pure. Never throws and never drops silently: a failure names the parameter, a warning tells what was left out. */
  convert(line: RequestLine, model: string): Converted;
  /** The name under which `model` is priced (a deployment's model, a profile's base); the same name by default. */
  pricedModel?(model: string): string;
  readonly immediate?: ImmediateApi;
  /** Asks the provider which models it serves. Rejects with ProviderError. */
  listModels?(call: Call): Promise<string[]>;
  /** Frees what the provider itself started (the sandbox's servers). */
  close?(): Promise<void>;
}

/** What `listModels` rejects with. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Upper bounds, held as data; null = no bound known. */
export interface ProviderLimits {
  concurrency: number | null;
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
}

export type Converted = { ok: true; request: NativeRequest; warnings: string[] } | { ok: false; failure: Failure };

/** A request in the provider's own form. */
export interface NativeRequest {
  endpoint: Endpoint;
  model: string;
  body: string;
}

export interface ImmediateApi {
  /** Base URLs that serve as one target; the engine chooses and passes one back as `call.member`. */
  readonly members: readonly string[];
  /** One call. Never throws: trouble comes back as a failed Result. */
  execute(request: NativeRequest, call: Call): Promise<Result>;
  /** True when a member answers its health check. */
  healthy?(call: Call): Promise<boolean>;
}

export interface Call {
  http: HttpClient;
  member: string;
  timeoutMs: number;
  maxResponseBytes: number;
  /** Unix milliseconds, to read dates in Retry-After. */
  nowMs: number;
  signal?: AbortSignal | undefined;
}

/** The outcome of one attempt, normalised to OpenAI's shape. */
export type Result = Success | Failed;

export interface Success {
  ok: true;
  status: number;
  requestId: string | null;
  /** The answer in OpenAI's shape: one line of JSON, with no raw U+2028, U+2029 or U+0085. */
  body: string;
  /** null when the provider did not report it. */
  usage: Usage | null;
  rawUsage: object | null;
  servedModel: string | null;
  finishReason: string | null;
  warnings: string[];
}

export interface Failed {
  ok: false;
  failure: Failure;
  requestId: string | null;
  /** The provider's error in OpenAI's envelope, as one line of JSON; null when there was no answer. */
  body: string | null;
  /** Some errors are billed (a filtered completion): what the provider reported. */
  usage: Usage | null;
  rawUsage: object | null;
}
