import { z } from '@hono/zod-openapi';

/** OpenAI's error object: all four members always present. */
export const errorBodySchema = z
  .object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  })
  .openapi('ErrorBody');

export const errorEnvelopeSchema = z.object({ error: errorBodySchema }).openapi('Error');

export type ErrorBody = z.infer<typeof errorBodySchema>;
export type ErrorEnvelope = z.infer<typeof errorEnvelopeSchema>;
