/** Pure guesses about what a request will use, before it is sent. */
import { Buffer } from 'node:buffer';
import { type Endpoint, endpointFamily } from '../protocol/endpoint.ts';
import { answersAsked } from './tokens.ts';

/** A request that sets no limit: what answers usually have. */
const DEFAULT_OUTPUT: OutputTokens = { low: 256, expected: 512, high: 1_024 };
const OUTPUT_TOKENS_MAX = 10_000_000;
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

/** What of a body a model reads. */
export interface BodyText {
  texts: string[];
  /** UTF-8 bytes of the texts. */
  bytes: number;
  /** Inputs that are given as tokens. */
  givenTokens: number;
}

/** The text of a body, media left out. */
export function textOf(body: Body): BodyText {
  const found: BodyText = { texts: [], bytes: 0, givenTokens: 0 };
  collect(body, found);
  return found;
}

function collect(value: unknown, found: BodyText): void {
  if (typeof value === 'string') {
    if (value.startsWith('data:')) return;
    found.texts.push(value);
    found.bytes += Buffer.byteLength(value);
  } else if (Array.isArray(value)) {
    for (const item of value) {
      // Numbers in a list are tokens; elsewhere they are settings.
      if (typeof item === 'number') found.givenTokens += 1;
      else collect(item, found);
    }
  } else if (value !== null && typeof value === 'object') {
    for (const [name, member] of Object.entries(value)) {
      if (!(SILENT_MEMBERS.has(name) && typeof member === 'string')) collect(member, found);
    }
  }
}

/**
 * Output tokens: as past answers were, within the request's limit; without `history` a quarter, half and all of the limit,
 * for every answer it asks for. None for embeddings.
 */
export function estimateOutput(endpoint: Endpoint, body: Body, history: OutputTokens | null = null): OutputTokens {
  if (endpointFamily(endpoint) !== 'generation') return { low: 0, expected: 0, high: 0 };
  const choices = endpoint === '/v1/responses' ? 1 : answersAsked(body);
  const limit = [body.max_completion_tokens, body.max_output_tokens, body.max_tokens]
    .map((value) => countOf(value, OUTPUT_TOKENS_MAX))
    .find((value) => value !== null);
  if (history !== null) {
    const most = limit == null ? history.high : limit * choices;
    return { low: Math.min(history.low, most), expected: Math.min(history.expected, most), high: most };
  }
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
