import { z } from '@hono/zod-openapi';
import { pageSchema } from './page.ts';

export const KEY_ROLES = ['admin', 'user'] as const;

export const keySchema = z
  .object({
    id: z.string(),
    object: z.literal('key'),
    name: z.string(),
    role: z.enum(KEY_ROLES),
    tenant_id: z.string(),
    prefix: z.string(),
    created_at: z.number().int(),
    revoked_at: z.number().int().nullable(),
  })
  .openapi('Key');

/** The secret is shown once, at creation. */
export const keyCreatedSchema = keySchema.extend({ secret: z.string() }).openapi('KeyCreated');

export const keyCreateSchema = z
  .object({
    name: z.string().min(1).max(128),
    role: z.enum(KEY_ROLES).default('user'),
    tenant_id: z
      .string()
      .regex(/^[a-zA-Z0-9_-]{1,64}$/, 'use 1 to 64 letters, digits, _ or -')
      .optional(),
  })
  .openapi('KeyCreate');

export const keyPageSchema = pageSchema(keySchema).openapi('KeyList');

export type KeyObject = z.infer<typeof keySchema>;
export type KeyRole = (typeof KEY_ROLES)[number];
