import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { pageSchema } from './page.ts';

/** Purposes a client may upload; the others appear only on files that the server made. */
export const UPLOAD_PURPOSES = ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'] as const;
export const FILE_PURPOSES = [...UPLOAD_PURPOSES, 'assistants_output', 'batch_output', 'fine-tune-results'] as const;

export const EXPIRES_AFTER_SECONDS_MIN = 3_600;
export const EXPIRES_AFTER_SECONDS_MAX = 2_592_000;

/** OpenAI allows one hour to thirty days, counted from creation. */
export const expiresAfterSchema = closedObject({
  anchor: z.literal('created_at'),
  seconds: z.number().int().min(EXPIRES_AFTER_SECONDS_MIN).max(EXPIRES_AFTER_SECONDS_MAX),
}).openapi('ExpiresAfter');

export const fileSchema = z
  .object({
    id: z.string(),
    object: z.literal('file'),
    bytes: z.number().int(),
    created_at: z.number().int(),
    expires_at: z.number().int().nullable(),
    filename: z.string(),
    purpose: z.enum(FILE_PURPOSES),
    status: z.enum(['uploaded', 'processed', 'error']),
    status_details: z.string().nullable(),
  })
  .openapi('File');

export const filePageSchema = pageSchema(fileSchema).openapi('FileList');

export const fileDeletedSchema = z
  .object({ id: z.string(), object: z.literal('file'), deleted: z.literal(true) })
  .openapi('FileDeleted');

export type FileObject = z.infer<typeof fileSchema>;
export type FilePurpose = (typeof FILE_PURPOSES)[number];
export type UploadPurpose = (typeof UPLOAD_PURPOSES)[number];
