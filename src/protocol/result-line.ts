import { z } from '@hono/zod-openapi';

const errorSchema = z.object({ code: z.string(), message: z.string() }).openapi('ResultError');

const responseSchema = z
  .object({ status_code: z.number().int(), request_id: z.string().nullable(), body: z.unknown() })
  .openapi('ResultResponse');

/** A line of the output or error file: strictly OpenAI's shape. */
export const resultLineSchema = z
  .object({
    id: z.string(),
    custom_id: z.string(),
    response: responseSchema.nullable(),
    error: errorSchema.nullable(),
  })
  .openapi('ResultLine');

/** What Weir adds to a line in `/v1/batches/{id}/output` only. `line` is the 1-based line of the input file. */
export const resultDetailsSchema = z
  .object({
    line: z.number().int(),
    provider: z.string().nullable(),
    model: z.string().nullable(),
    target: z.string().nullable(),
    attempts: z.number().int(),
    cost_nano_usd: z.number().int().nullable(),
    warnings: z.array(z.string()),
    finish_reason: z.string().nullable(),
    input_tokens: z.number().int(),
    output_tokens: z.number().int(),
    /** With `include_raw`: the line as a provider batch answered it, parsed; a string when it is no JSON. */
    raw: z.unknown().optional(),
  })
  .openapi('ResultDetails');

export const outputLineSchema = resultLineSchema.extend({ weir: resultDetailsSchema }).openapi('OutputLine');

export type ResultLine = z.infer<typeof resultLineSchema>;
export type ResultDetails = z.infer<typeof resultDetailsSchema>;
export type OutputLine = z.infer<typeof outputLineSchema>;
