import { z } from '@hono/zod-openapi';

/**
 * An operator has to act; the provider has shown no progress for long; results of an ended provider batch stay unread; the
 * hours of the target are waited for, or could not be kept; whether the provider took the batch is not known, and asked.
 */
export const SHARD_ALERT_CODES = [
  'needs_operator',
  'stuck',
  'results_unread',
  'outside_hours',
  'submit_unknown',
] as const;
export type ShardAlertCode = (typeof SHARD_ALERT_CODES)[number];

export const shardAlertCountSchema = z.object({
  code: z.enum(SHARD_ALERT_CODES),
  /** The provider's code for what an operator has to mend; null with other alerts. */
  reason: z.string().nullable(),
  shards: z.number().int(),
});
