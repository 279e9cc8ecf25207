import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { graderSchema } from './eval-grader.ts';
import { metadataSchema } from './metadata.ts';
import { pageSchema } from './page.ts';

const name = z.string().max(512);
const record = z.record(z.string(), z.unknown());

/** What the items of an eval look like, as it was stated. */
const configCreateSchema = z.discriminatedUnion('type', [
  closedObject({
    type: z.literal('custom'),
    item_schema: record,
    include_sample_schema: z.boolean().optional(),
  }),
  ...(['logs', 'stored_completions'] as const).map((type) =>
    z.looseObject({ type: z.literal(type) }).refine(() => false, {
      message: `data sources of type '${type}' are refused: Weir keeps no log of completions. Use type 'custom' with an item_schema`,
      path: ['type'],
    }),
  ),
]);

const configSchema = z
  .object({
    type: z.literal('custom'),
    schema: record.openapi({ description: 'Of `item`, and of `sample` where there is one.' }),
  })
  .openapi('EvalDataSourceConfig');

export const evalSchema = z
  .object({
    id: z.string(),
    object: z.literal('eval'),
    created_at: z.number().int(),
    name: z.string(),
    data_source_config: configSchema,
    testing_criteria: z.array(graderSchema),
    metadata: metadataSchema.nullable(),
  })
  .openapi('Eval');

export const evalPageSchema = pageSchema(evalSchema).openapi('EvalList');

export const EVAL_CRITERIA_MAX = 50;

/** Body of POST /v1/evals. */
export const evalCreateSchema = closedObject({
  name: name.optional(),
  metadata: metadataSchema.nullish(),
  data_source_config: configCreateSchema,
  testing_criteria: z.array(graderSchema).min(1).max(EVAL_CRITERIA_MAX),
}).openapi('EvalCreate');

/** Body of POST /v1/evals/{id}. */
export const evalUpdateSchema = closedObject({ name: name.optional(), metadata: metadataSchema.nullish() }).openapi(
  'EvalUpdate',
);

export const evalDeletedSchema = z
  .object({ object: z.literal('eval.deleted'), deleted: z.literal(true), eval_id: z.string() })
  .openapi('EvalDeleted');

export type EvalObject = z.infer<typeof evalSchema>;
export type EvalCreate = z.infer<typeof evalCreateSchema>;
export type EvalUpdate = z.infer<typeof evalUpdateSchema>;
export type EvalDataSourceConfig = z.infer<typeof configSchema>;
