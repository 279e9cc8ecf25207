import type { BatchUsage } from '../protocol/batch.ts';

/**
 * Canonical usage: what one attempt consumed, in buckets that never overlap, so that each unit is priced exactly once.
 * A bucket that the provider did not report (or reported as zero, for the details) is absent.
 */
export const usageBuckets = [
  /** Text input that was neither read from nor written to a cache. */
  'input_tokens',
  'cached_input_tokens',
  'cache_write_tokens',
  'cache_write_1h_tokens',
  'input_audio_tokens',
  'cached_audio_tokens',
  'input_image_tokens',
  /** Text output without the reasoning. */
  'output_tokens',
  'reasoning_tokens',
  'output_audio_tokens',
  'output_image_tokens',
  /** Calls of tools that the provider runs itself and bills apart from the tokens. */
  'web_searches',
  'file_searches',
  /** Time on the owner's GPUs, in microseconds of the whole pool. */
  'gpu_microseconds',
] as const;

export type UsageBucket = (typeof usageBuckets)[number];
export type Usage = { [bucket in UsageBucket]?: number };

export const emptyUsage: Readonly<Usage> = Object.freeze({});

/** The sum of two usages, bucket by bucket; a bucket known to neither stays absent. */
export function addUsage(left: Usage, right: Usage): Usage {
  const sum: Usage = {};
  for (const bucket of usageBuckets) {
    const a = left[bucket];
    const b = right[bucket];
    if (a !== undefined || b !== undefined) sum[bucket] = (a ?? 0) + (b ?? 0);
  }
  return sum;
}

/** All input tokens, cached and written ones included: what decides a context tier. */
export function totalInput(usage: Usage): number {
  return (
    (usage.input_tokens ?? 0) +
    (usage.cached_input_tokens ?? 0) +
    (usage.cache_write_tokens ?? 0) +
    (usage.cache_write_1h_tokens ?? 0) +
    (usage.input_audio_tokens ?? 0) +
    (usage.cached_audio_tokens ?? 0) +
    (usage.input_image_tokens ?? 0)
  );
}

/** All output tokens, reasoning, audio and images included. */
export function totalOutput(usage: Usage): number {
  return (
    (usage.output_tokens ?? 0) +
    (usage.reasoning_tokens ?? 0) +
    (usage.output_audio_tokens ?? 0) +
    (usage.output_image_tokens ?? 0)
  );
}

/** OpenAI's batch usage object for a (summed) usage. */
export function toBatchUsage(usage: Usage): BatchUsage {
  const input = totalInput(usage);
  const output = totalOutput(usage);
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: (usage.cached_input_tokens ?? 0) + (usage.cached_audio_tokens ?? 0) },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: usage.reasoning_tokens ?? 0 },
    total_tokens: input + output,
  };
}

/** OpenAI's batch usage object for all of these together; null is a usage that is not known. */
export function batchUsageOf(usages: Iterable<Usage | null>): BatchUsage {
  const sum: Usage = {};
  for (const usage of usages) {
    if (usage === null) continue;
    for (const bucket of usageBuckets) {
      const count = usage[bucket];
      if (count !== undefined) sum[bucket] = (sum[bucket] ?? 0) + count;
    }
  }
  return toBatchUsage(sum);
}

/** The sum of two batch usage objects. */
export function addBatchUsage(left: BatchUsage, right: BatchUsage): BatchUsage {
  return {
    input_tokens: left.input_tokens + right.input_tokens,
    input_tokens_details: {
      cached_tokens: left.input_tokens_details.cached_tokens + right.input_tokens_details.cached_tokens,
    },
    output_tokens: left.output_tokens + right.output_tokens,
    output_tokens_details: {
      reasoning_tokens: left.output_tokens_details.reasoning_tokens + right.output_tokens_details.reasoning_tokens,
    },
    total_tokens: left.total_tokens + right.total_tokens,
  };
}

export interface UsageReading {
  /** null when the body reports no usage, or none that can be trusted. */
  usage: Usage | null;
  /** The provider's own usage object, untouched. */
  raw: object | null;
  /** What was wrong with it; empty when it was consistent. */
  problems: string[];
}

type Fields = Readonly<Record<string, unknown>>;

const NO_FIELDS: Fields = {};

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Far beyond what any model takes or gives for one request. What is more than that is a fault of the provider's counting,
 * and would make the sums of a batch larger than numbers hold.
 */
const COUNT_MAX = 1_000_000_000;

/** Whether a provider's figure can be a count of one request: whole, not negative, and of a size that may be. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= COUNT_MAX;
}

/** One usage object being read: every count that is not a count becomes a problem, never a number. */
class UsageReader {
  readonly problems: string[] = [];

  count(fields: Fields, name: string): number | undefined {
    const value = fields[name];
    if (value === undefined || value === null) return undefined;
    if (isCount(value)) return value;
    const isLarge = Number(value) > COUNT_MAX;
    const wrong = isLarge ? 'more than one request can have' : 'not a whole, non-negative number';
    this.problems.push(`${name} is ${wrong}: ${describe(value)}`);
    return undefined;
  }

  fields(fields: Fields, name: string): Fields {
    const value = fields[name];
    if (value === undefined || value === null) return NO_FIELDS;
    if (isFields(value)) return value;
    this.problems.push(`${name} is not an object: ${describe(value)}`);
    return {};
  }

  /** A part of `available`: what exceeds it is cut off and reported. */
  part(name: string, count: number | undefined, available: number): number {
    if (count === undefined || count <= available) return count ?? 0;
    this.problems.push(`${name} is ${count}, more than the ${available} it is a part of`);
    return available;
  }
}

function describe(value: unknown): string {
  return (typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? typeof value)).slice(0, 80);
}

/**
 * Reads the usage of an OpenAI-shaped response body: chat completions and completions (`prompt_tokens`), responses
 * (`input_tokens`), embeddings (no output). Cached, written, audio and image tokens are subsets of the input, reasoning
 * and audio tokens of the output (OpenAI API reference, CompletionUsage). A body without usage gives null, no problem.
 */
export function usageFromOpenAI(body: unknown): UsageReading {
  const raw = isFields(body) ? body.usage : undefined;
  if (raw === undefined || raw === null) return { usage: null, raw: null, problems: [] };
  if (!isFields(raw)) return { usage: null, raw: null, problems: [`usage is not an object: ${describe(raw)}`] };
  const reader = new UsageReader();
  const isList = isFields(body) && body.object === 'list';
  const totals = readTotals(reader, raw, isList);
  if (totals === null) return { usage: null, raw, problems: reader.problems };
  const usage: Usage = {};
  readInput(reader, raw, totals, usage);
  readOutput(reader, raw, totals, usage);
  readTools(reader, body, usage);
  if (totalInput(usage) + totalOutput(usage) === 0) reader.problems.push('every count is zero');
  return { usage, raw, problems: reader.problems };
}

/** What the members are called. */
const NAMES = {
  chat: {
    input: 'prompt_tokens',
    inputDetails: 'prompt_tokens_details',
    output: 'completion_tokens',
    outputDetails: 'completion_tokens_details',
  },
  responses: {
    input: 'input_tokens',
    inputDetails: 'input_tokens_details',
    output: 'output_tokens',
    outputDetails: 'output_tokens_details',
  },
} as const;

interface Totals {
  names: (typeof NAMES)['chat' | 'responses'];
  input: number;
  output: number | undefined;
  total: number | undefined;
}

function readTotals(reader: UsageReader, raw: Fields, isList: boolean): Totals | null {
  const names = raw.prompt_tokens === undefined && raw.input_tokens !== undefined ? NAMES.responses : NAMES.chat;
  const total = reader.count(raw, 'total_tokens');
  const reportedInput = reader.count(raw, names.input);
  const reportedOutput = reader.count(raw, names.output);
  if (reader.problems.length > 0) return null;
  // Embedding servers other than OpenAI's report the total alone; nothing but input can be in it.
  const input = reportedInput ?? (isList && reportedOutput === undefined ? total : undefined);
  if (input === undefined) {
    reader.problems.push(`${names.input} is missing`);
    return null;
  }
  if (reportedOutput !== undefined || isList) return { names, input, output: reportedOutput, total };
  if (total === undefined || total < input) {
    reader.problems.push(`${names.output} is missing`);
    return null;
  }
  if (total === input) return { names, input, output: undefined, total };
  reader.problems.push(`${names.output} is missing: taken as total_tokens less ${names.input}`);
  return { names, input, output: total - input, total };
}

function readInput(reader: UsageReader, raw: Fields, totals: Totals, usage: Usage): void {
  const details = reader.fields(raw, totals.names.inputDetails);
  const cachedDetails = reader.fields(details, 'cached_tokens_details');
  let rest = totals.input;
  // The dearer kinds first: if the parts exceed the whole, it is the discount that is cut.
  const audio = reader.part('audio_tokens', reader.count(details, 'audio_tokens'), rest);
  rest -= audio;
  const image = reader.part('image_tokens', reader.count(details, 'image_tokens'), rest);
  rest -= image;
  const written = reader.part('cache_write_tokens', reader.count(details, 'cache_write_tokens'), rest);
  rest -= written;
  const cachedAudio = reader.part('cached audio_tokens', reader.count(cachedDetails, 'audio_tokens'), audio);
  const cached = reader.part('cached_tokens', reader.count(details, 'cached_tokens'), rest + cachedAudio);
  const cachedText = Math.max(0, cached - cachedAudio);
  usage.input_tokens = rest - cachedText;
  if (cachedText > 0) usage.cached_input_tokens = cachedText;
  if (written > 0) usage.cache_write_tokens = written;
  if (audio > cachedAudio) usage.input_audio_tokens = audio - cachedAudio;
  if (cachedAudio > 0) usage.cached_audio_tokens = cachedAudio;
  if (image > 0) usage.input_image_tokens = image;
}

function readOutput(reader: UsageReader, raw: Fields, totals: Totals, usage: Usage): void {
  if (totals.output === undefined) return;
  const details = reader.fields(raw, totals.names.outputDetails);
  const reportedReasoning = reader.count(details, 'reasoning_tokens');
  const sum = totals.input + totals.output;
  // Some servers (xAI, Gemini) count reasoning beside the completion; their own total gives it away.
  const isBeside = (reportedReasoning ?? 0) > 0 && totals.total === sum + (reportedReasoning ?? 0);
  if (totals.total !== undefined && totals.total !== sum && !isBeside) {
    reader.problems.push(`total_tokens is ${totals.total}, but its parts add up to ${sum}`);
  }
  let rest = totals.output;
  const audio = reader.part('output audio_tokens', reader.count(details, 'audio_tokens'), rest);
  rest -= audio;
  const image = reader.part('output image_tokens', reader.count(details, 'image_tokens'), rest);
  rest -= image;
  const reasoning = isBeside ? (reportedReasoning ?? 0) : reader.part('reasoning_tokens', reportedReasoning, rest);
  if (!isBeside) rest -= reasoning;
  usage.output_tokens = rest;
  if (reasoning > 0) usage.reasoning_tokens = reasoning;
  if (audio > 0) usage.output_audio_tokens = audio;
  if (image > 0) usage.output_image_tokens = image;
}

/** Calls of hosted tools: items of a response's output. A search is billed, opening a page of its results is not. */
function readTools(reader: UsageReader, body: unknown, usage: Usage): void {
  if (!isFields(body) || !Array.isArray(body.output)) return;
  const items = body.output.filter(isFields);
  const count = (type: string) => items.filter((item) => item.type === type && item.status !== 'failed').length;
  const opened = items.filter(
    (item) => item.type === 'web_search_call' && isFields(item.action) && (item.action.type ?? 'search') !== 'search',
  ).length;
  const web = count('web_search_call') - opened;
  const files = count('file_search_call');
  if (count('code_interpreter_call') > 0) {
    reader.problems.push('the code interpreter was used, which is billed by container and not priced here');
  }
  if (web > 0) usage.web_searches = web;
  if (files > 0) usage.file_searches = files;
}
