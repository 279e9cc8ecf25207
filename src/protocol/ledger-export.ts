import { z } from '@hono/zod-openapi';

/** What a column of an exported table holds; each format writes it in its own way. */
export const COLUMN_TYPES = ['string', 'int64', 'boolean', 'timestamp', 'decimal', 'json'] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

const columnSchema = z.object({
  name: z.string(),
  type: z.enum(COLUMN_TYPES),
  nullable: z.boolean(),
  description: z.string(),
  /** How each format writes it. */
  csv: z.string(),
  jsonl: z.string(),
  parquet: z.string(),
});

export const exportSchemaSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(z.object({ object: z.literal('export.table'), path: z.string(), columns: z.array(columnSchema) })),
  })
  .openapi('LedgerExportSchema');

export type ExportSchema = z.infer<typeof exportSchemaSchema>;
