import { z } from '@hono/zod-openapi';

const whySchema = z.object({
  /** What the provider said last. */
  code: z.string(),
  message: z.string(),
  since: z.number().int(),
});

/** Why batch lines wait for a model, or fail there: the account is refused, since when. */
export const heldTargetSchema = z
  .object({ model: z.string(), state: z.enum(['held', 'given_up']), ...whySchema.shape })
  .openapi('HeldTarget');

/** Why batch lines wait for a target, or fail there: the same, or nothing answers there that serves. */
export const holdSchema = z
  .object({ state: z.enum(['held', 'given_up', 'unreachable']), ...whySchema.shape })
  .openapi('TargetHold');
export type TargetHold = z.infer<typeof holdSchema>;

/** Why no provider is called, in the words for its servers. */
export const unreachableSchema = z.object({ reason: z.string(), since: z.number().int() });
