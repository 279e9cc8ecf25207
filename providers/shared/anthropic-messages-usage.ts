import { Buffer } from 'node:buffer';
import type { ByteWriter } from '../../src/core/byte-writer.ts';
import { isCount, totalInput, totalOutput, type Usage, type UsageReading } from '../../src/core/usage.ts';
import { isFields } from './error-body.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads the usage of a Messages answer. `input_tokens` excludes what was read from and written to a cache, the writes are
 * split by lifetime in `cache_creation`, and thinking is a part of `output_tokens` (@anthropic-ai/sdk, Usage).
 */
export function usageFromMessage(message: unknown): UsageReading {
  const raw = isFields(message) ? message.usage : undefined;
  if (raw === undefined || raw === null) return { usage: null, raw: null, problems: [] };
  if (!isFields(raw)) return { usage: null, raw: null, problems: ['usage is not an object'] };
  const problems: string[] = [];
  const input = countOf(raw, 'input_tokens', problems);
  const output = countOf(raw, 'output_tokens', problems);
  if (input === undefined || output === undefined) {
    if (problems.length === 0) problems.push(`${input === undefined ? 'input' : 'output'}_tokens is missing`);
    return { usage: null, raw, problems };
  }
  const cached = countOf(raw, 'cache_read_input_tokens', problems) ?? 0;
  const usage: Usage = { input_tokens: input };
  if (cached > 0) usage.cached_input_tokens = cached;
  addWrites(usage, raw, problems);
  addOutput(usage, raw, output, problems);
  addTools(usage, raw, problems);
  if (totalInput(usage) + totalOutput(usage) === 0) problems.push('every count is zero');
  return { usage, raw, problems };
}

/** Without the split every write counts as the usual one, of five minutes; so does a remainder that it leaves open. */
function addWrites(usage: Usage, raw: Fields, problems: string[]): void {
  const total = countOf(raw, 'cache_creation_input_tokens', problems);
  const split = isFields(raw.cache_creation) ? raw.cache_creation : {};
  const short = countOf(split, 'ephemeral_5m_input_tokens', problems) ?? 0;
  const long = countOf(split, 'ephemeral_1h_input_tokens', problems) ?? 0;
  const isSplit = short + long > 0;
  if (isSplit && total !== undefined && total !== short + long) {
    problems.push(`cache_creation_input_tokens is ${total}, but its parts add up to ${short + long}`);
  }
  const usual = Math.max(short, (total ?? 0) - long);
  if (usual > 0) usage.cache_write_tokens = usual;
  if (long > 0) usage.cache_write_1h_tokens = long;
}

function addOutput(usage: Usage, raw: Fields, output: number, problems: string[]): void {
  const details = isFields(raw.output_tokens_details) ? raw.output_tokens_details : {};
  const thinking = countOf(details, 'thinking_tokens', problems) ?? 0;
  if (thinking > output) problems.push(`thinking_tokens is ${thinking}, more than the ${output} it is a part of`);
  const reasoning = Math.min(thinking, output);
  usage.output_tokens = output - reasoning;
  if (reasoning > 0) usage.reasoning_tokens = reasoning;
}

/** Searches are billed by the call; fetching is not billed; of other tools the price is not known. */
function addTools(usage: Usage, raw: Fields, problems: string[]): void {
  const tools = raw.server_tool_use;
  if (!isFields(tools)) return;
  const { web_search_requests: _, web_fetch_requests: __, ...others } = tools;
  if (Object.values(others).some((count) => typeof count === 'number' && count > 0)) {
    problems.push('server tools were used that are billed apart and not priced here');
  }
  const searches = countOf(tools, 'web_search_requests', problems) ?? 0;
  if (searches > 0) usage.web_searches = searches;
}

function countOf(fields: Fields, name: string, problems: string[]): number | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (isCount(value)) return value;
  problems.push(`${name} is not a whole, non-negative number`);
  return undefined;
}

/** A usage in the form of OpenAI's chat completions, where caches and reasoning are parts of the totals. */
export function toCompletionUsage(usage: Usage): Record<string, unknown> {
  const input = totalInput(usage);
  const output = totalOutput(usage);
  const written = (usage.cache_write_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0);
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: {
      cached_tokens: usage.cached_input_tokens ?? 0,
      ...(written > 0 && { cache_write_tokens: written }),
    },
    completion_tokens_details: { reasoning_tokens: usage.reasoning_tokens ?? 0 },
  };
}

const PROMPT = Buffer.from('{"prompt_tokens":');
const COMPLETION = Buffer.from(',"completion_tokens":');
const TOTAL = Buffer.from(',"total_tokens":');
const CACHED = Buffer.from(',"prompt_tokens_details":{"cached_tokens":');
const WRITES = Buffer.from(',"cache_write_tokens":');
const REASONING = Buffer.from('},"completion_tokens_details":{"reasoning_tokens":');
const END = Buffer.from('}}');

/** Writes the JSON of `toCompletionUsage`, of no more bytes than COMPLETION_USAGE_BYTES. */
export function writeCompletionUsage(writer: ByteWriter, usage: Usage): void {
  const input = totalInput(usage);
  const output = totalOutput(usage);
  const written = (usage.cache_write_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0);
  writer.all(PROMPT);
  writer.number(input);
  writer.all(COMPLETION);
  writer.number(output);
  writer.all(TOTAL);
  writer.number(input + output);
  writer.all(CACHED);
  writer.number(usage.cached_input_tokens ?? 0);
  if (written > 0) {
    writer.all(WRITES);
    writer.number(written);
  }
  writer.all(REASONING);
  writer.number(usage.reasoning_tokens ?? 0);
  writer.all(END);
}

export const COMPLETION_USAGE_BYTES = 512;
