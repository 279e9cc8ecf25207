import { type UsageReading, usageFromOpenAI } from '../../src/core/usage.ts';
import { isFields } from '../shared/error-body.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Gemini's `usageMetadata` in OpenAI's form. `promptTokenCount` includes cached tokens and excludes those that tools
 * brought; `candidatesTokenCount` excludes thoughts and is absent when zero (reference of UsageMetadata). null when the
 * answer has none.
 */
export function toOpenAIUsage(metadata: unknown): Record<string, unknown> | null {
  if (!isFields(metadata)) return null;
  const { promptTokenCount: prompt, thoughtsTokenCount: thoughts, cachedContentTokenCount: cached } = metadata;
  const input = sum(prompt, metadata.toolUsePromptTokenCount);
  const output = sum(metadata.candidatesTokenCount ?? 0, thoughts);
  const audioInput = modality(metadata.promptTokensDetails, 'AUDIO');
  const cachedAudio = modality(metadata.cacheTokensDetails, 'AUDIO');
  const audioOutput = modality(metadata.candidatesTokensDetails, 'AUDIO');
  const imageOutput = modality(metadata.candidatesTokensDetails, 'IMAGE');
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: metadata.totalTokenCount ?? sum(input, output),
    prompt_tokens_details: {
      cached_tokens: cached ?? 0,
      ...(audioInput > 0 && { audio_tokens: audioInput }),
      ...(cachedAudio > 0 && { cached_tokens_details: { audio_tokens: cachedAudio } }),
    },
    completion_tokens_details: {
      reasoning_tokens: thoughts ?? 0,
      ...(audioOutput > 0 && { audio_tokens: audioOutput }),
      ...(imageOutput > 0 && { image_tokens: imageOutput }),
    },
  };
}

/** The usage of a generateContent answer; `raw` is the service's own object. */
export function usageFromGemini(answer: unknown): UsageReading {
  const metadata = isFields(answer) ? answer.usageMetadata : undefined;
  const usage = toOpenAIUsage(metadata);
  if (usage === null || !isFields(metadata)) return { usage: null, raw: null, problems: [] };
  return { ...usageFromOpenAI({ usage }), raw: metadata };
}

/**
 * The service tier that a `usageMetadata` names, in the ledger's words; null for the usual one (reference of TrafficType).
 * What was bought beforehand as provisioned throughput is not paid for by the token.
 */
export function tierOf(metadata: unknown): string | null {
  const word = isFields(metadata) ? metadata.trafficType : undefined;
  if (typeof word !== 'string' || word === 'ON_DEMAND' || word === 'TRAFFIC_TYPE_UNSPECIFIED') return null;
  return word.toLowerCase().replace(/^on_demand_/, '');
}

/** The usage of embeddings: each text's token count; null when one of them is unknown. */
export function usageFromEmbeddings(tokens: readonly (number | null)[]): UsageReading {
  if (tokens.length === 0 || tokens.some((count) => count === null)) return { usage: null, raw: null, problems: [] };
  const total = tokens.reduce<number>((all, count) => all + (count ?? 0), 0);
  return usageFromOpenAI({ object: 'list', usage: { prompt_tokens: total, total_tokens: total } });
}

/** Anything that is no number is handed on, so that the reader of usages names it. */
function sum(left: unknown, right: unknown): unknown {
  if (right === undefined || right === null) return left;
  return typeof left === 'number' && typeof right === 'number' ? left + right : left;
}

/** Tokens of one modality in one of the `…TokensDetails` lists. */
function modality(details: unknown, name: string): number {
  if (!Array.isArray(details)) return 0;
  const counts = details.filter((one): one is Fields => isFields(one) && one.modality === name);
  return counts.reduce((all, { tokenCount }) => all + (typeof tokenCount === 'number' ? tokenCount : 0), 0);
}
