/** Pure guesses about what a request will use, before it is sent. */
import { Buffer } from 'node:buffer';
import { type Endpoint, endpointFamily } from '../protocol/endpoint.ts';

const BYTES_PER_TOKEN = 4;
/** A request that sets no limit: what answers usually have. */
const DEFAULT_OUTPUT: OutputTokens = { low: 256, expected: 512, high: 1_024 };
const OUTPUT_TOKENS_MAX = 10_000_000;
const CHOICES_MAX = 128;
/** Members whose text a model does not read as text, or not at all. */
const SILENT_MEMBERS = new Set(['model', 'user', 'metadata', 'url', 'file_data', 'data', 'role', 'type', 'id']);

type Body = Readonly<Record<string, unknown>>;

export interface OutputTokens {
  low: number;
  expected: number;
  high: number;
}

/** What sending `tokens` at a steady pace takes: Weir's own limits of a provider; null = not limited. */
export interface Pace {
  requests: number;
  tokens: number;
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
}

/** Input tokens: the UTF-8 bytes of the body's text ÷ 4, media left out; inputs given as tokens are counted. */
export function estimateInput(body: Body): number {
  return Math.ceil(textBytes(body) / BYTES_PER_TOKEN);
}

function textBytes(value: unknown): number {
  if (typeof value === 'string') return value.startsWith('data:') ? 0 : Buffer.byteLength(value);
  if (value === null || typeof value !== 'object') return 0;
  if (!Array.isArray(value)) {
    return Object.entries(value).reduce(
      (sum, [name, member]) => sum + (SILENT_MEMBERS.has(name) && typeof member === 'string' ? 0 : textBytes(member)),
      0,
    );
  }
  // Numbers in a list are tokens; elsewhere they are settings.
  return value.reduce<number>((sum, item) => sum + (typeof item === 'number' ? BYTES_PER_TOKEN : textBytes(item)), 0);
}

/** Output tokens: a quarter, half and all of the request's limit, for every choice it asks for; none for embeddings. */
export function estimateOutput(endpoint: Endpoint, body: Body): OutputTokens {
  if (endpointFamily(endpoint) !== 'generation') return { low: 0, expected: 0, high: 0 };
  const choices = endpoint === '/v1/responses' ? 1 : (countOf(body.n, CHOICES_MAX) ?? 1);
  const limit = [body.max_completion_tokens, body.max_output_tokens, body.max_tokens]
    .map((value) => countOf(value, OUTPUT_TOKENS_MAX))
    .find((value) => value !== null);
  const { low, expected, high } = limit == null ? DEFAULT_OUTPUT : shareOf(limit);
  return { low: low * choices, expected: expected * choices, high: high * choices };
}

function shareOf(limit: number): OutputTokens {
  return { low: Math.ceil(limit * 0.25), expected: Math.ceil(limit * 0.5), high: limit };
}

function countOf(value: unknown, most: number): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? Math.min(value, most) : null;
}

/** Seconds that the limits alone make it last; null when there are none. */
export function paceSeconds({ requests, tokens, requestsPerMinute, tokensPerMinute }: Pace): number | null {
  if (requestsPerMinute === null && tokensPerMinute === null) return null;
  const byRequests = requestsPerMinute === null ? 0 : requests / requestsPerMinute;
  const byTokens = tokensPerMinute === null ? 0 : tokens / tokensPerMinute;
  return Math.ceil(Math.max(byRequests, byTokens) * 60);
}
