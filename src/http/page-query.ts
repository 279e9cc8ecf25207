import { z } from '@hono/zod-openapi';

/** The query of a list: `limit` between 1 and `max`, a cursor and, where the list has it, an order. */
export function pageQuery(options: { max: number; fallback: number }) {
  return z.object({
    limit: z.coerce.number().int().min(1).max(options.max).default(options.fallback),
    after: z.string().min(1).max(128).optional(),
    order: z.enum(['asc', 'desc']).default('desc'),
  });
}

/** Whose rows a list shows, where an administrator may ask for others than the own tenant's. */
export const tenantParameter = z
  .string()
  .min(1)
  .max(64)
  .optional()
  .openapi({ description: 'Another tenant, or `*` for all; for administrators.' });
