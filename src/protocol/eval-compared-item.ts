import { z } from '@hono/zod-openapi';
import { pageSchema } from './page.ts';

const gradeSchema = z
  .object({ name: z.string(), passed: z.boolean(), score: z.number().nullable(), error: z.string().nullable() })
  .openapi('EvalComparedGrade');

/** What one target made of an item. */
const outputSchema = z
  .object({
    target: z.string(),
    status: z.enum(['pending', 'pass', 'fail', 'error']),
    score: z.number().nullable(),
    /** The answer's text; null without one. */
    text: z.string().nullable(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    finish_reason: z.string().nullable(),
    grades: z.array(gradeSchema),
    latency_ms: z.number().int().nullable(),
    cost_nano_usd: z.number().int().nullable(),
    cost_usd: z.string().nullable(),
  })
  .openapi('EvalComparedOutput');

/** One item with what every target of a run made of it, in the order of the targets. */
export const evalComparedItemSchema = z
  .object({
    id: z.string(),
    object: z.literal('eval.compared_item'),
    /** Its place in the data source, from 0: `datasource_item_id` of its output items. */
    datasource_item_id: z.number().int(),
    datasource_item: z.record(z.string(), z.unknown()),
    /** Some targets passed it and others did not. */
    differs: z.boolean(),
    outputs: z.array(outputSchema),
  })
  .openapi('EvalComparedItem');

export const evalComparedItemPageSchema = pageSchema(evalComparedItemSchema).openapi('EvalComparedItemList');

export type EvalComparedItem = z.infer<typeof evalComparedItemSchema>;
export type EvalComparedOutput = z.infer<typeof outputSchema>;
