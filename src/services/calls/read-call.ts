import { ApiError } from '../../core/api-error.ts';
import { tryParseExact } from '../../core/exact-json.ts';
import { type Fields, isFields } from '../../core/fields.ts';
import { RequestReader } from '../../core/request-outline.ts';
import { checkCallBody, textOf } from '../../core/validate-input.ts';
import type { Endpoint } from '../../protocol/endpoint.ts';
import { type Metadata, metadataSchema } from '../../protocol/metadata.ts';
import type { RequestLine } from '../../protocol/request-line.ts';

/** A synchronous request, read and checked; not yet routed. */
export interface Call {
  request: RequestLine;
  /** The model that it names. */
  model: string;
  /** The route it names, or writes out; null when its model tells where it goes. */
  config: string | object | null;
  /** Its metadata: tags of its ledger entries, and what conditions read. */
  metadata: Metadata | null;
  /** null when it wants its answer whole. */
  stream: StreamWish | null;
  bytes: number;
  /** What a route's cache may do for it. */
  cache: 'use' | 'refresh' | 'off';
}

export interface StreamWish {
  /** The client's own `stream_options`. */
  options: Readonly<Record<string, unknown>>;
  /** Whether the client asked for the chunk with the usage. */
  usage: boolean;
}

/** What the transport found beside the body. */
export interface CallHeaders {
  /** `x-weir-config`, or Portkey's header. */
  config: string | undefined;
  /** `x-portkey-metadata`: a JSON object. */
  metadata: string | undefined;
  /** `x-weir-cache`: use, refresh or off. */
  cache?: string | undefined;
}

const reader = new RequestReader();

/** Members that are Weir's own, or that decide how a call is answered: a body with one of them is parsed. */
const READ_HERE = new Set(['config', 'metadata', 'stream', 'stream_options', 'background', 'store']);

/** Reads a request's body. Throws 400 that names what is wrong. `requestId` becomes the entries' custom id. */
export function readCall(endpoint: Endpoint, raw: Uint8Array, headers: CallHeaders, requestId: string): Call {
  const plain = reader.readBody(requestId, endpoint, raw);
  if (plain === null || plain.request.outline.names.some((name) => READ_HERE.has(name))) {
    return parseCall(endpoint, raw, headers, requestId);
  }
  const { request, model } = plain;
  return {
    request,
    model,
    config: headers.config ?? null,
    metadata: readMetadata(parseHeader(headers.metadata)),
    stream: null,
    bytes: raw.length,
    cache: readCache(headers.cache),
  };
}

function parseCall(endpoint: Endpoint, raw: Uint8Array, headers: CallHeaders, requestId: string): Call {
  const { config, metadata, stream, stream_options: options, ...body } = parseBody(raw);
  if (stream !== undefined && stream !== null && typeof stream !== 'boolean') {
    throw invalid("Invalid type for 'stream': expected a boolean.", 'stream');
  }
  const problem = checkCallBody(body, endpoint);
  if (problem !== null) throw invalid(problem.message, problem.param, problem.code);
  const tags = readMetadata(metadata ?? parseHeader(headers.metadata));
  // OpenAI keeps metadata with a response, and with a completion only if it is stored; elsewhere it is ours alone.
  const forwarded = metadata !== undefined && (endpoint === '/v1/responses' || body.store === true);
  return {
    request: { customId: requestId, endpoint, body: forwarded ? { ...body, metadata } : body },
    model: String(body.model),
    config: readConfig(config) ?? headers.config ?? null,
    metadata: tags,
    stream: stream === true && isStreamed(endpoint) ? readStreamWish(options) : null,
    bytes: raw.length,
    cache: readCache(headers.cache),
  };
}

function parseBody(raw: Uint8Array): Fields {
  const value = tryParseExact(textOf(raw));
  if (value === undefined) {
    throw new ApiError(400, 'The body is not valid JSON. Check it with a JSON parser and send it again.', {
      code: 'invalid_body',
    });
  }
  if (isFields(value)) return value;
  throw new ApiError(400, 'The body must be a JSON object.', { code: 'invalid_body' });
}

function readConfig(config: unknown): string | object | undefined {
  if (config === undefined || config === null) return undefined;
  if (typeof config === 'string' || isFields(config)) return config;
  throw invalid("Invalid type for 'config': name a route, or write one out as an object.", 'config');
}

function readCache(cache: string | undefined): Call['cache'] {
  if (cache === undefined || cache === 'use') return 'use';
  if (cache === 'refresh' || cache === 'off') return cache;
  throw invalid("Invalid 'x-weir-cache': use use, refresh or off.", 'x-weir-cache');
}

function parseHeader(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw invalid(
      "The header 'x-portkey-metadata' is not valid JSON. Send an object of strings.",
      'x-portkey-metadata',
    );
  }
}

function readMetadata(metadata: unknown): Metadata | null {
  if (metadata === undefined || metadata === null) return null;
  const checked = metadataSchema.safeParse(metadata);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  const place = ['metadata', ...(issue?.path ?? [])].map(String).join('.');
  throw invalid(`Invalid '${place}': ${issue?.message ?? 'send an object of strings'}.`, place);
}

/** Embeddings and moderations come whole: there `stream` means nothing. */
function isStreamed(endpoint: Endpoint): boolean {
  return endpoint !== '/v1/embeddings' && endpoint !== '/v1/moderations';
}

function readStreamWish(options: unknown): StreamWish {
  if (options === undefined || options === null) return { options: {}, usage: false };
  if (!isFields(options)) throw invalid("Invalid type for 'stream_options': expected an object.", 'stream_options');
  return { options, usage: options.include_usage === true };
}

function invalid(message: string, param: string | null, code = 'invalid_value'): ApiError {
  return new ApiError(400, message, { code, ...(param !== null && { param }) });
}
