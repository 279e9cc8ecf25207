import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { evalIntervalSchema } from './eval-comparison.ts';
import { ROUTE_NAME_PATTERN, ROUTE_NAME_RULE, routeSchema } from './route.ts';

/** Body of POST /v1/evals/{id}/runs/{run}/choice. */
export const evalChoiceCreateSchema = closedObject({
  /** The least pass rate that a target must have, from 0 to 1. */
  quality_floor: z.number().min(0).max(1),
  /** `likely`: the pass rate itself must reach the floor; `sure`: the low end of its interval must. */
  certainty: z.enum(['likely', 'sure']).default('likely'),
  /** Fewer graded items than these decide nothing. */
  items_least: z.int().min(1).max(1_000_000).default(30),
  /** `spread`: weights by accepted answers per dollar; `cheapest`: all to the cheapest accepted answer. */
  strategy: z.enum(['spread', 'cheapest']).default('spread'),
  /** Stores the proposed route under this name, in place of an older one. */
  apply_to: z.string().regex(ROUTE_NAME_PATTERN, ROUTE_NAME_RULE).optional(),
}).openapi('EvalChoiceCreate');

export const evalChoiceTargetSchema = z
  .object({
    target: z.string(),
    /** Of 100. */
    weight: z.number().int(),
    eligible: z.boolean(),
    /** Why it gets this weight. */
    reason: z.string(),
    graded: z.number().int(),
    pass_rate: evalIntervalSchema,
    per_accepted_nano_usd: z.number().int().nullable(),
    per_accepted_usd: z.string().nullable(),
  })
  .openapi('EvalChoiceTarget');

export const evalChoiceSchema = z
  .object({
    object: z.literal('eval.choice'),
    eval_id: z.string(),
    run_id: z.string(),
    quality_floor: z.number(),
    certainty: z.enum(['likely', 'sure']),
    items_least: z.number().int(),
    strategy: z.enum(['spread', 'cheapest']),
    targets: z.array(evalChoiceTargetSchema),
    /** What the weights give, if later requests are like these; null when nothing can be proposed. */
    expected: z
      .object({
        pass_rate: z.number(),
        per_accepted_nano_usd: z.number().int(),
        per_accepted_usd: z.string(),
      })
      .nullable(),
    /** The argument, sentence by sentence. */
    reasoning: z.array(z.string()),
    /** What it would be as a route; null when nothing can be proposed, or a target is no single provider and model. */
    route: routeSchema.nullable(),
    applied_to: z.string().nullable(),
  })
  .openapi('EvalChoice');

export type EvalChoiceCreate = z.infer<typeof evalChoiceCreateSchema>;
export type EvalChoiceTarget = z.infer<typeof evalChoiceTargetSchema>;
export type EvalChoice = z.infer<typeof evalChoiceSchema>;
