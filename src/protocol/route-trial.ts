import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { metadataSchema } from './metadata.ts';

const refusalSchema = z.object({ code: z.string(), message: z.string() });

/** A line to try on a route: a line of an input file, as an object. Without `config` its model finds the target. */
export const routeTrialInputSchema = closedObject({
  config: z.union([z.string(), z.record(z.string(), z.unknown())]).nullish(),
  line: z.record(z.string(), z.unknown()),
  metadata: metadataSchema.nullish(),
}).openapi('RouteTrialInput');

/** Where the line would go, in order: the first, and where it goes next if that fails. Nothing is sent. */
export const routeTrialSchema = z
  .object({
    object: z.literal('route.trial'),
    targets: z.array(
      z.object({
        target: z.string(),
        provider: z.string(),
        model: z.string(),
        mode: z.string(),
        weight: z.number(),
        /** It takes lines from one queue with the others that say so. */
        shared: z.boolean(),
        retries: z.number().int(),
        /** The body as this provider is sent it; null when it cannot take the line. */
        body: z.unknown(),
        warnings: z.array(z.string()),
        refused: refusalSchema.nullable(),
      }),
    ),
    /** Why no target takes it. */
    refused: refusalSchema.nullable(),
  })
  .openapi('RouteTrial');

export type RouteTrialInput = z.infer<typeof routeTrialInputSchema>;
export type RouteTrial = z.infer<typeof routeTrialSchema>;
