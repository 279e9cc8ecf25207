import { z } from '@hono/zod-openapi';

const count = z.number().int();
const nano = count.nullable();
const usd = z.string().nullable();

/** A figure with its interval of confidence; all null when there is nothing to take it of. */
export const evalIntervalSchema = z
  .object({ value: z.number().nullable(), low: z.number().nullable(), high: z.number().nullable() })
  .openapi('EvalInterval');

/** What a target's answers cost, judges apart. Null with a reason when a part of it has no price, never 0. */
export const evalCostSchema = z
  .object({
    amount_nano_usd: nano,
    amount_usd: usd,
    per_item_nano_usd: nano,
    per_item_usd: usd,
    per_accepted_nano_usd: nano,
    per_accepted_usd: usd,
    /** Why an amount above is null. */
    reason: z.string().nullable(),
    unpriced_items: count,
  })
  .openapi('EvalCost');

/** One of the targets of a run. Rates are of all items, from 0 to 1. */
export const evalTargetFiguresSchema = z
  .object({
    target: z.string(),
    items: count,
    answered: count,
    /** Items whose pass or fail is known: without an answer an item failed, where a grader failed it is unknown. */
    graded: count,
    passed: count,
    /** Of the graded items, with Wilson's interval. */
    pass_rate: evalIntervalSchema,
    /** Mean over the items with a score, with an interval from resampling. */
    score: evalIntervalSchema,
    valid_rate: z.number().nullable(),
    truncation_rate: z.number().nullable(),
    refusal_rate: z.number().nullable(),
    error_rate: z.number().nullable(),
    /** Nearest rank, of the calls that were timed; provider batches have no time per item. */
    latency_ms: z.object({ p50: z.number().nullable(), p90: z.number().nullable(), timed: count }),
    input_tokens: count,
    output_tokens: count,
    cost: evalCostSchema,
    /** No other target is both as good and as cheap, and better in one of the two; null when it has no price. */
    on_frontier: z.boolean().nullable(),
    /** Items per tenth of the comparison's `score_range`. */
    score_histogram: z.array(count),
  })
  .openapi('EvalTargetFigures');

/** Two targets on the items that both have a grade for. Differences are `a` less `b`. */
export const evalPairSchema = z
  .object({
    a: z.string(),
    b: z.string(),
    items: count,
    pass_rate_difference: evalIntervalSchema,
    score_difference: evalIntervalSchema,
    only_a_passed: count,
    only_b_passed: count,
    /** Of the exact test on the items that one passed and the other did not (McNemar); null when there are none. */
    p_value: z.number().nullable(),
    /** Share of items with the same pass or fail. */
    agreement: z.number().nullable(),
    /** Cohen's kappa of the same; null where both always say one thing. */
    kappa: z.number().nullable(),
  })
  .openapi('EvalPair');

export const evalComparisonSchema = z
  .object({
    object: z.literal('eval.comparison'),
    eval_id: z.string(),
    run_id: z.string(),
    /** Figures of a run that is not completed are of the items graded so far. */
    status: z.string(),
    items: count,
    /** Items beyond those that one comparison takes. */
    items_left_out: count,
    /** Targets that ended without answers, and so are in none of the figures. */
    failed_targets: z.array(z.object({ target: z.string(), code: z.string(), message: z.string() })),
    /** How the intervals were made: 95 of 100 such intervals hold the true figure. */
    intervals: z.object({
      confidence: z.number(),
      method: z.literal('paired bootstrap, percentiles'),
      resamples: count,
      seed: count,
    }),
    score_range: z.object({ low: z.number(), high: z.number() }),
    targets: z.array(evalTargetFiguresSchema),
    pairs: z.array(evalPairSchema),
    /** Names of the targets on the frontier, the cheapest first. */
    frontier: z.array(z.string()),
    /** Items that some targets passed and others did not: how many, and the places of the first of them. */
    differing: z.object({ count, items: z.array(count) }),
  })
  .openapi('EvalComparison');

export type EvalInterval = z.infer<typeof evalIntervalSchema>;
export type EvalCost = z.infer<typeof evalCostSchema>;
export type EvalTargetFigures = z.infer<typeof evalTargetFiguresSchema>;
export type EvalPair = z.infer<typeof evalPairSchema>;
export type EvalComparison = z.infer<typeof evalComparisonSchema>;
