import { z } from 'zod';
import type { BatchLimits } from '../contract.ts';

const bound = z.int().positive();

const batchLimits = {
  lines: bound.optional(),
  bytes: bound.optional(),
  /** Provider batches at once. */
  jobs: bound.optional(),
  /** The account's queue of input tokens for one model. */
  enqueued_tokens: bound.optional(),
};

/** `batch: false` keeps a provider's own batch service out of use; an object states what the account allows. */
export const batchSetting = z.union([z.boolean(), z.strictObject(batchLimits)]);

/** The same for a kind that speaks several dialects. */
export function dialectSetting<const Names extends readonly [string, ...string[]]>(names: Names) {
  return z.union([z.boolean(), z.strictObject({ ...batchLimits, dialect: z.enum(names).optional() })]);
}

/** A dialect's limits with those that the operator states in their place. */
export function toBatchLimits(setting: z.infer<typeof batchSetting> | undefined, known: BatchLimits): BatchLimits {
  if (typeof setting !== 'object') return known;
  return {
    ...known,
    lines: setting.lines ?? known.lines,
    bytes: setting.bytes ?? known.bytes,
    jobs: setting.jobs ?? known.jobs,
    enqueuedTokens: setting.enqueued_tokens ?? known.enqueuedTokens,
  };
}
