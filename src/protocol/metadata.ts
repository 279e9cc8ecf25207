import { z } from '@hono/zod-openapi';

/** OpenAI's metadata: at most 16 pairs, keys of 64 and values of 512 characters. Every pair is also a ledger tag. */
export const metadataSchema = z
  .preprocess(
    refuseProto,
    z
      .record(z.string().max(64), z.string().max(512))
      .refine((value) => Object.keys(value).length <= 16, { message: 'at most 16 pairs are allowed' }),
  )
  .openapi('Metadata', { type: 'object', additionalProperties: { type: 'string' } });

/** The one name that a record leaves out without a word. */
function refuseProto(value: unknown, context: z.RefinementCtx): unknown {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__')) {
    context.addIssue({ code: 'custom', message: `the name '__proto__' cannot be used` });
  }
  return value;
}

export type Metadata = z.infer<typeof metadataSchema>;
