import { z } from '@hono/zod-openapi';
import { KEY_ROLES } from './key.ts';

/** Who asks, and until when. Asked for with a key it is the key's holder, and `expires_at` is null. */
export const sessionSchema = z
  .object({
    object: z.literal('session'),
    role: z.enum(KEY_ROLES),
    tenant_id: z.string(),
    key_id: z.string().nullable(),
    expires_at: z.number().int().nullable(),
  })
  .openapi('Session');

export const sessionEndedSchema = z
  .object({ object: z.literal('session'), deleted: z.literal(true) })
  .openapi('SessionEnded');

export type SessionObject = z.infer<typeof sessionSchema>;
