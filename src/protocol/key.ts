import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { pageSchema } from './page.ts';

export const KEY_ROLES = ['admin', 'user'] as const;

/** The most that JavaScript counts exactly. */
const limit = z.int().min(1).max(Number.MAX_SAFE_INTEGER).nullable();

/** What one key may use; null where nothing bounds it. */
export const keyLimitsSchema = z
  .object({
    requests_per_minute: limit,
    tokens_per_minute: limit,
    concurrent_batches: limit,
    batches_per_minute: limit,
    storage_bytes: limit,
    cache_seconds: limit.openapi({
      description: 'Answers may be given again to this key for so long, also where its routes do not say so.',
    }),
  })
  .openapi('KeyLimits');

/** As a client or the config states them: what is left out or null is the server's default. */
export const keyLimitsInputSchema = closedObject(keyLimitsSchema.partial().shape).openapi('KeyLimitsInput');

export const keySchema = z
  .object({
    id: z.string(),
    object: z.literal('key'),
    name: z.string(),
    role: z.enum(KEY_ROLES),
    tenant_id: z.string(),
    prefix: z.string(),
    /** Its own limits; null where the server's default holds, which is `key_limits` of the config. */
    limits: keyLimitsSchema,
    created_at: z.number().int(),
    revoked_at: z.number().int().nullable(),
  })
  .openapi('Key');

/** The secret is shown once, at creation. */
export const keyCreatedSchema = keySchema.extend({ secret: z.string() }).openapi('KeyCreated');

export const keyCreateSchema = closedObject({
  name: z.string().min(1).max(128),
  role: z.enum(KEY_ROLES).default('user'),
  tenant_id: z
    .string()
    .regex(/^[a-zA-Z0-9_-]{1,64}$/, 'use 1 to 64 letters, digits, _ or -')
    .optional(),
  limits: keyLimitsInputSchema.nullish(),
}).openapi('KeyCreate');

/** A change of a key: what is left out stays as it is. `limits` takes the place of all its limits. */
export const keyUpdateSchema = closedObject({
  name: z.string().min(1).max(128).optional(),
  limits: keyLimitsInputSchema.nullish(),
}).openapi('KeyUpdate');

export const keyPageSchema = pageSchema(keySchema).openapi('KeyList');

export type KeyObject = z.infer<typeof keySchema>;
export type KeyLimits = z.infer<typeof keyLimitsSchema>;
export type KeyLimitsInput = z.infer<typeof keyLimitsInputSchema>;

export const NO_KEY_LIMITS: KeyLimits = {
  requests_per_minute: null,
  tokens_per_minute: null,
  concurrent_batches: null,
  batches_per_minute: null,
  storage_bytes: null,
  cache_seconds: null,
};

export type KeyRole = (typeof KEY_ROLES)[number];
