import { z } from '@hono/zod-openapi';

/** OpenAI's metadata: at most 16 pairs, keys of 64 and values of 512 characters. Every pair is also a ledger tag. */
export const metadataSchema = z
  .record(z.string().max(64), z.string().max(512))
  .refine((value) => Object.keys(value).length <= 16, { message: 'at most 16 pairs are allowed' })
  .openapi('Metadata', { type: 'object', additionalProperties: { type: 'string' } });

export type Metadata = z.infer<typeof metadataSchema>;
