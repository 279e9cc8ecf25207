import { z } from '@hono/zod-openapi';

/** Why batch lines wait for a target, or fail there: the account is refused, since when. */
export const holdSchema = z.object({
  state: z.enum(['held', 'given_up']),
  /** What the provider said last. */
  code: z.string(),
  message: z.string(),
  since: z.number().int(),
});

export const heldTargetSchema = z.object({ model: z.string(), ...holdSchema.shape }).openapi('HeldTarget');
export type HeldTarget = z.infer<typeof heldTargetSchema>;
