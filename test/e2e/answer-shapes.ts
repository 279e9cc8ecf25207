/** OpenAI's response objects, written again from its API reference: what clients of the output may rely on. */
import { z } from 'zod';
import type { OutputLine } from '../../src/protocol/result-line.ts';

const count = z.int().min(0);

const completionUsage = z
  .object({
    prompt_tokens: count,
    completion_tokens: count,
    total_tokens: count,
    prompt_tokens_details: z
      .object({ cached_tokens: count.optional(), cache_write_tokens: count.optional() })
      .optional(),
    completion_tokens_details: z.object({ reasoning_tokens: count.optional() }).optional(),
  })
  .refine((usage) => usage.total_tokens === usage.prompt_tokens + usage.completion_tokens, 'total is not the sum')
  .refine((usage) => (usage.prompt_tokens_details?.cached_tokens ?? 0) <= usage.prompt_tokens, 'cached exceeds prompt');

const toolCall = z.object({
  id: z.string().min(1),
  type: z.literal('function'),
  function: z.object({
    name: z.string().min(1),
    arguments: z.string().transform((text) => JSON.parse(text) as unknown),
  }),
});

const message = z.object({
  role: z.literal('assistant'),
  content: z.string().nullable(),
  refusal: z.string().nullish(),
  tool_calls: z.array(toolCall).min(1).optional(),
});

/** `chat.completion` */
export const chatCompletion = z.object({
  id: z.string().min(1),
  object: z.literal('chat.completion'),
  created: z.int().positive(),
  model: z.string().min(1),
  choices: z
    .array(
      z.object({
        index: count,
        message,
        logprobs: z.unknown(),
        finish_reason: z.enum(['stop', 'length', 'tool_calls', 'content_filter']),
      }),
    )
    .min(1),
  usage: completionUsage,
});

/** The list that answers an embeddings request. */
export const embeddingList = z.object({
  object: z.literal('list'),
  model: z.string().min(1),
  data: z
    .array(
      z.object({
        object: z.literal('embedding'),
        index: count,
        embedding: z.union([z.array(z.number()).min(1), z.base64().min(4)]),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: count.positive(), total_tokens: count.positive() }),
});

/** Azure tells what its filters saw, and not every service tells the details of its usage. */
const ownWords = /^content_filter_results$|_details$/;

/** The names in an output line, at every depth. */
export function shapeOf({ weir: _weir, ...line }: OutputLine): string {
  const names = (value: unknown, path: string): string[] => {
    if (typeof value !== 'object' || value === null) return [path];
    if (Array.isArray(value)) return value.flatMap((item) => names(item, `${path}[]`));
    const known = Object.entries(value).filter(([name]) => !ownWords.test(name));
    return known.flatMap(([name, member]) => names(member, `${path}.${name}`));
  };
  return names(line, '').toSorted().join(' ');
}
