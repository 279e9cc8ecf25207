import { isCount, type Usage, type UsageReading } from '../../src/core/usage.ts';
import { isFields } from '../shared/error-body.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Converse's `usage`, also under the names of Nova's InvokeModel. `inputTokens` does not hold what was read from or written
 * to the cache (service model of bedrock-runtime, TokenUsage); `cacheDetails` tells the writes by their time to live.
 */
export function readConverseUsage(body: unknown): UsageReading {
  const raw = isFields(body) ? body.usage : undefined;
  if (!isFields(raw)) return { usage: null, raw: null, problems: [] };
  const input = count(raw.inputTokens);
  const output = count(raw.outputTokens);
  if (input === null || output === null) {
    return { usage: null, raw, problems: ['inputTokens and outputTokens are not both whole numbers'] };
  }
  const cached = count(raw.cacheReadInputTokens) ?? count(raw.cacheReadInputTokenCount) ?? 0;
  const written = count(raw.cacheWriteInputTokens) ?? count(raw.cacheWriteInputTokenCount) ?? 0;
  const writtenForHour = Math.min(written, hourWrites(raw.cacheDetails));
  const usage: Usage = {
    input_tokens: input,
    output_tokens: output,
    ...(cached > 0 && { cached_input_tokens: cached }),
    ...(written > writtenForHour && { cache_write_tokens: written - writtenForHour }),
    ...(writtenForHour > 0 && { cache_write_1h_tokens: writtenForHour }),
  };
  return { usage, raw, problems: input + output === 0 ? ['every count is zero'] : [] };
}

function hourWrites(details: unknown): number {
  if (!Array.isArray(details)) return 0;
  return details.reduce<number>(
    (sum, detail) => sum + (isFields(detail) && detail.ttl === '1h' ? (count(detail.inputTokens) ?? 0) : 0),
    0,
  );
}

/** Two counts of an answer's own, by their names (Llama, Titan's texts). */
export function readCounts(body: Fields, inputName: string, outputName: string): UsageReading {
  const [input, output] = [count(body[inputName]), count(body[outputName])];
  if (input === null || output === null) return { usage: null, raw: null, problems: ['not reported by the model'] };
  const raw = { [inputName]: input, [outputName]: output };
  const problems = input + output === 0 ? ['every count is zero'] : [];
  return { usage: { input_tokens: input, output_tokens: output }, raw, problems };
}

/**
 * Titan reports `inputTextTokenCount` in the body; Cohere nothing there, but an immediate answer has the header
 * `x-amzn-bedrock-input-token-count`, given here as `stated`. In a batch Cohere's tokens are only in the manifest's total.
 */
export function readEmbeddingUsage(body: unknown, stated: string | undefined): UsageReading {
  const fields: Fields = isFields(body) ? body : {};
  const own = count(fields.inputTextTokenCount);
  if (own !== null) return { usage: { input_tokens: own }, raw: { inputTextTokenCount: own }, problems: [] };
  const header = stated === undefined ? null : count(Number(stated));
  if (header === null) return { usage: null, raw: null, problems: ['not reported by the model'] };
  return { usage: { input_tokens: header }, raw: { 'x-amzn-bedrock-input-token-count': header }, problems: [] };
}

/**
 * The totals of a job's manifest (Bedrock user guide, batch inference results); null without whole counts. As in Converse's
 * usage, the input does not hold what was read from or written to the cache.
 */
export function readManifestTotals(manifest: unknown): { usage: Usage; records: number } | null {
  if (!isFields(manifest)) return null;
  const records = total(manifest.successRecordCount);
  const input = total(manifest.inputTokenCount);
  const output = total(manifest.outputTokenCount);
  if (records === null || input === null || output === null) return null;
  const cached = total(manifest.cacheReadInputTokenCount) ?? 0;
  const written = total(manifest.cacheWriteInputTokenCount) ?? 0;
  const usage: Usage = {
    input_tokens: input,
    output_tokens: output,
    ...(cached > 0 && { cached_input_tokens: cached }),
    ...(written > 0 && { cache_write_tokens: written }),
  };
  return { usage, records };
}

function count(value: unknown): number | null {
  return isCount(value) ? value : null;
}

/** Of all records of a job. */
function total(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
