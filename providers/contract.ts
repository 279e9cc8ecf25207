/**
 * What a provider is. A capability that a provider lacks is an absent member, never a stub.
 * One folder per provider implements this; providers/registry.ts lists them.
 */
import type { ServerLoad } from '../src/core/adaptive/load.ts';
import type { Schedule } from '../src/core/batch-hours.ts';
import type { Written } from '../src/core/byte-writer.ts';
import type { Failure } from '../src/core/failure.ts';
import type { AnswerLimit } from '../src/core/lane.ts';
import type { BilledRow } from '../src/core/reconcile/reconcile.ts';
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
  /** When batch lines may be sent at once to it; absent: always. */
  readonly schedule?: Schedule;
  /** Entries of one account share its requests and tokens a minute; absent: the entry is an account of its own. */
  readonly account?: string;
  /**
   * Pure. Never throws and never drops silently: a failure names the parameter, a warning tells what was left out. By the
   * `content` and `text` of a request nothing is decided, but for being blank and what is cut off their ends.
   */
  convert(line: RequestLine, model: string): Converted;
  /** The limits of `model`'s answers, where the provider writes its own into requests; null for a model without. */
  answerLimit?(model: string): AnswerLimit | null;
  /** The name under which `model` is priced (a deployment's model, a profile's base); the same name by default. */
  pricedModel?(model: string): string;
  /** The region whose prices apply, where they differ by region. */
  readonly priceRegion?: string;
  /** The region that an answer was billed in, by the usage it reports; null where it has the usual price. */
  billedRegion?(rawUsage: object): string | null;
  readonly immediate?: ImmediateApi;
  readonly batch?: BatchApi;
  /** What the provider itself says was used and what it charges; absent where it has no such API, or no key for it. */
  readonly usage?: UsageApi;
  /** Asks the provider which models it serves. Rejects with ProviderError. */
  listModels?(call: Call): Promise<string[]>;
  /** Frees what the provider itself started (the sandbox's servers). */
  close?(): Promise<void>;
}

export interface UsageApi {
  /**
   * Usage and costs of the account by UTC day and model, between two days (Unix seconds, the second one excluded), in any
   * order; usage and costs may come apart. Rejects with ProviderError.
   */
  billed(days: { from: number; to: number }, call: Call): AsyncIterable<BilledRow>;
}

/** What `listModels` and the members of BatchApi reject with. */
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
  /** False: as many requests at once as `concurrency` says; by default what the servers can take is found out. */
  adaptive?: boolean;
}

export type Converted = { ok: true; request: NativeRequest; warnings: string[] } | { ok: false; failure: Failure };

/** A request in the provider's own form. */
export interface NativeRequest {
  endpoint: Endpoint;
  model: string;
  readonly body: string;
  /** The same in UTF-8, where the client's own bytes serve; `body` is then made of them when it is asked for. */
  readonly bytes?: Uint8Array;
  /** Its body differs from others with the same in what is said alone: what members it has can be known by it. */
  readonly alike?: object;
}

export interface ImmediateApi {
  /** Base URLs that serve as one target; the engine chooses and passes one back as `call.member`. */
  readonly members: readonly string[];
  /** One call. Never throws: trouble comes back as a failed Result. */
  execute(request: NativeRequest, call: Call): Promise<Result>;
  /**
   * One call whose answer comes in pieces. Never throws: trouble before the first piece is a failed Result; after it,
   * `pieces` rejects with ProviderError. `options` are the client's own `stream_options`.
   */
  stream(
    request: NativeRequest,
    options: Readonly<Record<string, unknown>>,
    call: Call,
  ): Promise<AnswerStream | Failed>;
  /** True when a member answers its health check. */
  healthy?(call: Call): Promise<boolean>;
  /** True when members keep the beginnings of prompts: requests that share one had better meet at one member. */
  readonly prefixCache?: boolean;
  /** What a member's own metrics say of its load; null when it has none. Never rejects. */
  load?(call: Call): Promise<ServerLoad | null>;
  /** The models a member has loaded; null when it does not tell. Never rejects. */
  served?(call: Call): Promise<ServedModel[] | null>;
}

/** A model that a self-hosted server serves under the name `id`; `root`: the weights behind it, where it tells. */
export interface ServedModel {
  id: string;
  root: string | null;
}

/** An answer in OpenAI's shape, piece by piece. `pieces` ends when the answer is whole, and is to be read once. */
export interface AnswerStream {
  ok: true;
  status: number;
  requestId: string | null;
  pieces: AsyncIterable<StreamPiece>;
}

/** One server-sent event, and what it says beside its text. */
export interface StreamPiece {
  /** The event's name (Responses API); null where events have none. */
  event: string | null;
  /** One line of JSON. */
  data: string;
  /** True when it carries a part of the answer's content. */
  content: boolean;
  /** True for the extra chunk that carries the usage and nothing else. */
  usageOnly: boolean;
  usage: Usage | null;
  rawUsage: object | null;
  servedModel: string | null;
  finishReason: string | null;
  /** Characters of the content, where a piece holds more than a token or two; else each piece with content counts as one token. */
  characters?: number;
  /** What the request read, where that is known before the answer is whole. */
  inputUsage?: Usage | null;
  /** As in Success. */
  serviceTier?: string | null;
}

export interface Call {
  http: HttpClient;
  member: string;
  timeoutMs: number;
  maxResponseBytes: number;
  /** Unix milliseconds, to read dates in Retry-After. */
  nowMs: number;
  signal?: AbortSignal | undefined;
  /** What the call is for; absent: somebody waits for its answer. */
  traffic?: 'batch';
}

/** The outcome of one attempt, normalised to OpenAI's shape. */
export type Result = Success | Failed;

export interface Success {
  ok: true;
  status: number;
  requestId: string | null;
  /** The answer in OpenAI's shape: one line of JSON, with no raw U+2028, U+2029 or U+0085. */
  readonly body: string;
  /** The same in UTF-8, where the provider's own bytes are that. `body` is then made of them when it is asked for. */
  readonly bytes?: Uint8Array;
  /** The same where it still lies in pieces, to be written where it is to stand; `bytes` are then made when asked for. */
  readonly written?: Written | null;
  /** null when the provider did not report it. */
  usage: Usage | null;
  rawUsage: object | null;
  servedModel: string | null;
  /** The service tier that the answer says it was served in; prices depend on it. */
  serviceTier?: string | null;
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

/**
 * A provider's own batch service. A shard (the lines of one batch for one target) becomes one provider batch.
 * Everything that `submit` makes at the provider carries the shard's token: in a client request token, metadata, label,
 * display name, file or object name, whatever the provider offers. Members reject with ProviderError.
 */
export interface BatchApi {
  readonly limits: BatchLimits;
  readonly place: BatchPlace;
  /** Pure. Why the batch service cannot take a request that the immediate API takes; null when it can. Absent: it takes all. */
  refuses?(request: NativeRequest): Failure | null;
  /** Pure: one line of the provider's own input file, without line feed. `key` ([a-z0-9-], ≤ 32) comes back with the answer. */
  line(key: string, request: NativeRequest): string;
  /** Uploads the input and creates the provider batch. `call.saved` is told of each remote object as soon as it exists. */
  submit(input: ShardInput, call: BatchCall): Promise<ProviderBatch>;
  /** The provider batch with this token, when the answer to `submit` was lost; null when there is none. */
  find(token: string, refs: ProviderRefs, call: BatchCall): Promise<ProviderBatch | null>;
  poll(batch: ProviderBatch, call: BatchCall): Promise<Progress>;
  /** The answers of a batch that has ended, in any order: streamed, whole lines only, lengths checked. */
  results(batch: ProviderBatch, call: BatchCall): AsyncIterable<BatchResult>;
  /**
   * What an ended batch used in all, and the records that succeeded in it, where single answers may report no usage;
   * null when the provider does not tell.
   */
  totals?(batch: ProviderBatch, call: BatchCall): Promise<BatchTotals | null>;
  /** Asks it to stop. Resolves also when it has ended already. */
  cancel(batch: ProviderBatch, call: BatchCall): Promise<void>;
  /** Removes the files a shard left at the provider; answers what it removed, for the record. */
  cleanup(refs: ProviderRefs, call: BatchCall): Promise<string[]>;
  /** Everything of ours that the provider still holds, for the search for orphans. */
  inventory(call: BatchCall): AsyncIterable<RemoteObject>;
  /**
   * Proves the rights that a batch needs beyond listing, at no cost: with a small object of its own that is removed again.
   * What fails is a step that is not ok.
   */
  probe?(call: BatchCall): Promise<BatchProbe[]>;
}

/** Where provider batches are made with the present settings: another place knows nothing of them, and says so. */
export interface BatchPlace {
  /** For the operator, without credentials: an address, a region, a project. */
  name: string;
  /** What else tells whose batches are seen there: keys, organisations. Only a short mark of it is kept; '' where `name` says it all. */
  account(): string;
}

/** One thing that a batch needs to be able to do at the provider, tried out. */
export interface BatchProbe {
  /** In words that follow the provider's name: `writes to the bucket`. */
  name: string;
  ok: boolean;
  /** What to do about it, with what the provider said; null when it is ok. */
  remedy: string | null;
}

/** What one provider batch may hold; null = no bound known. */
export interface BatchLimits {
  lines: number | null;
  linesMin: number | null;
  bytes: number | null;
  lineBytes: number | null;
  /** Provider batches at once. */
  jobs: number | null;
  /** Estimated input tokens queued at once, over all provider batches of one model. */
  enqueuedTokens: number | null;
}

export interface ShardInput {
  /** Unique for a shard and try: [a-z0-9-], ≤ 48 characters. */
  token: string;
  endpoint: Endpoint;
  model: string;
  lines: number;
  bytes: number;
  /** The native lines with their line feeds; may be called again for a second upload. */
  open(): AsyncIterable<Uint8Array>;
  /** Native fields for the create call, as the client gave them in `provider_options`. */
  options: Readonly<Record<string, unknown>>;
}

/** Remote ids and places by name (`input_file_id`, `input_uri`, …); strings only, kept on the shard's row. */
export type ProviderRefs = Readonly<Record<string, string>>;

export interface ProviderBatch {
  id: string;
  refs: ProviderRefs;
}

export interface Progress {
  /** `ended` = results can be read, whole or partial, whatever the reason of the end; `failed` = there are none. */
  state: 'running' | 'ended' | 'failed';
  /** Why it ended or failed. */
  reason: 'completed' | 'expired' | 'cancelled' | 'failed' | null;
  /** The provider's own word. */
  raw: string;
  counts: { total: number; succeeded: number; failed: number } | null;
  /** Of a failed batch: quota_full means try again later; invalid_request with `lines` means those lines are at fault. */
  failure: Failure | null;
  /** Lines that the provider's own validation names, 1-based in the input file. */
  lines: { line: number; failure: Failure }[];
  /** Remote places that are only known now (output file ids, uris), to be kept. */
  refs: ProviderRefs;
  /** Unix seconds, by the provider's clock: when it ended, where it has and tells. */
  endedAt?: number | null;
  /** What all lines together used, where the provider tells it with the batch: for reconciliation. */
  usage?: { inputTokens: number; outputTokens: number };
  /** The untouched answer, for `include_provider_details`. */
  details: unknown;
}

export interface BatchResult {
  /** null when the answer names no line of ours. */
  key: string | null;
  result: Result;
  /** The untouched line, for `include_raw`. */
  readonly raw: string;
  /** Bytes of it, where `raw` is made when it is asked for. */
  readonly rawLength?: number;
  /** Records of the provider's that it was put together from, as the provider counts those; absent: one. */
  readonly records?: number;
}

export interface BatchTotals {
  usage: Usage;
  records: number;
}

export interface RemoteObject {
  kind: 'batch' | 'file';
  id: string;
  /** The token it carries. */
  token: string;
  /** Unix seconds. */
  createdAt: number;
  refs: ProviderRefs;
  /** True while a batch can still cost money. */
  live: boolean;
}

export interface BatchCall {
  http: HttpClient;
  /** The platform's fetch for SDKs and streams; redirects with credentials are the caller's to refuse. */
  fetch: typeof fetch;
  timeoutMs: number;
  maxResponseBytes: number;
  nowMs: number;
  signal?: AbortSignal | undefined;
  /** Persists remote ids before the next step is taken. */
  saved(refs: ProviderRefs): Promise<void>;
}
