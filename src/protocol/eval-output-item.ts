import { z } from '@hono/zod-openapi';
import { pageSchema } from './page.ts';

const count = z.number().int();
const record = z.record(z.string(), z.unknown());

/** What one grader made of an item. `score` is null where it could not grade; `error` says why. */
const resultSchema = z
  .looseObject({
    name: z.string(),
    type: z.string(),
    score: z.number().nullable(),
    passed: z.boolean(),
    /** What a judge answered, or what was compared. */
    sample: record.nullable(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
  })
  .openapi('EvalItemResult');

const messageSchema = z.object({ role: z.string(), content: z.string() });

const sampleSchema = z
  .object({
    input: z.array(messageSchema),
    output: z.array(messageSchema),
    finish_reason: z.string().nullable(),
    model: z.string(),
    usage: z.object({ total_tokens: count, completion_tokens: count, prompt_tokens: count, cached_tokens: count }),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    temperature: z.number().nullable(),
    max_completion_tokens: count.nullable(),
    top_p: z.number().nullable(),
    seed: count.nullable(),
  })
  .openapi('EvalSample');

export const EVAL_ITEM_STATUSES = ['pending', 'pass', 'fail', 'error'] as const;

export const evalOutputItemSchema = z
  .object({
    id: z.string(),
    object: z.literal('eval.run.output_item'),
    created_at: count,
    run_id: z.string(),
    eval_id: z.string(),
    status: z.enum(EVAL_ITEM_STATUSES),
    /** The place of the item in its data source, from 0. */
    datasource_item_id: count,
    datasource_item: record,
    results: z.array(resultSchema),
    sample: sampleSchema,
    /** Weir's own: who answered, how long it took and what it cost. Null where that is not known. */
    weir: z.object({
      target: z.string(),
      target_index: count,
      provider: z.string().nullable(),
      score: z.number().nullable(),
      latency_ms: count.nullable(),
      cost_nano_usd: count.nullable(),
      truncated: z.boolean(),
      refused: z.boolean(),
    }),
  })
  .openapi('EvalOutputItem');

export const evalOutputItemPageSchema = pageSchema(evalOutputItemSchema).openapi('EvalOutputItemList');

export type EvalOutputItem = z.infer<typeof evalOutputItemSchema>;
export type EvalItemResult = z.infer<typeof resultSchema>;
export type EvalSample = z.infer<typeof sampleSchema>;
export type EvalItemStatus = (typeof EVAL_ITEM_STATUSES)[number];
