import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { expiresAfterSchema, fileSchema, UPLOAD_PURPOSES } from './file.ts';

export const UPLOAD_STATUSES = ['pending', 'completed', 'cancelled', 'expired'] as const;

/** OpenAI: at most 8 GB in parts of at most 64 MB; Weir's own file limit may be larger or smaller. */
export const UPLOAD_PART_BYTES_MAX = 64 * 1024 * 1024;
export const UPLOAD_LIFETIME_SECONDS = 3_600;

export const uploadCreateSchema = closedObject({
  bytes: z.number().int().min(1),
  filename: z.string().min(1),
  mime_type: z.string(),
  purpose: z.enum(UPLOAD_PURPOSES),
  expires_after: expiresAfterSchema.optional(),
}).openapi('UploadCreate');

export const uploadCompleteSchema = closedObject({
  part_ids: z.array(z.string()).min(1),
  md5: z.string().optional(),
}).openapi('UploadComplete');

export const uploadSchema = z
  .object({
    id: z.string(),
    object: z.literal('upload'),
    bytes: z.number().int(),
    created_at: z.number().int(),
    expires_at: z.number().int(),
    filename: z.string(),
    purpose: z.enum(UPLOAD_PURPOSES),
    status: z.enum(UPLOAD_STATUSES),
    file: fileSchema.nullable(),
  })
  .openapi('Upload');

export const uploadPartSchema = z
  .object({ id: z.string(), object: z.literal('upload.part'), created_at: z.number().int(), upload_id: z.string() })
  .openapi('UploadPart');

export type UploadObject = z.infer<typeof uploadSchema>;
export type UploadCreate = z.infer<typeof uploadCreateSchema>;
export type UploadStatus = (typeof UPLOAD_STATUSES)[number];
