import { z } from 'zod';
import { baseUrl, refuseOpenHttp } from '../shared/base-url.ts';
import { googleCredentials, refuseSeveralCredentials } from '../shared/google-auth-settings.ts';
import { commonSettings, modelList } from '../shared/settings.ts';

const categories = [
  'HARM_CATEGORY_HATE_SPEECH',
  'HARM_CATEGORY_DANGEROUS_CONTENT',
  'HARM_CATEGORY_HARASSMENT',
  'HARM_CATEGORY_SEXUALLY_EXPLICIT',
] as const;

const thresholds = ['BLOCK_LOW_AND_ABOVE', 'BLOCK_MEDIUM_AND_ABOVE', 'BLOCK_ONLY_HIGH', 'BLOCK_NONE', 'OFF'] as const;

const bucketName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/, 'must be the name of a bucket, without gs:// and without a path');

const prefixMessage = 'must be a path such as weir/batches: letters, digits, . _ - and / between them';

export const vertexSettings = z
  .strictObject({
    ...commonSettings,
    ...googleCredentials,
    project: z.string().regex(/^[a-z0-9][a-z0-9.:-]{1,62}$/, 'must be the id of a Google Cloud project'),
    location: z
      .string()
      .regex(/^[a-z]+(-[a-z]+\d+)?$/, 'must be a location such as us-central1, or global')
      .default('us-central1'),
    /** Where batches read and write; without it, only immediate mode is there. */
    bucket: bucketName.optional(),
    prefix: z
      .string()
      .regex(/^[\w-][\w.-]{0,99}(\/[\w-][\w.-]{0,99}){0,7}$/, prefixMessage)
      .default('weir'),
    models: modelList.optional(),
    /** Buckets whose objects requests may name as gs:// addresses; none unless listed. */
    file_buckets: z.array(bucketName).max(100).default([]),
    safety_settings: z
      .array(z.strictObject({ category: z.enum(categories), threshold: z.enum(thresholds) }))
      .optional(),
    base_url: baseUrl.optional(),
    storage_endpoint: baseUrl.default('https://storage.googleapis.com'),
    allow_http: z.boolean().optional(),
  })
  .superRefine((entry, context) => {
    refuseOpenHttp(entry.base_url, entry.allow_http, 'base_url', context);
    refuseOpenHttp(entry.storage_endpoint, entry.allow_http, 'storage_endpoint', context);
    refuseOpenHttp(entry.token_url, entry.allow_http, 'token_url', context);
    refuseSeveralCredentials(entry, context);
    if (entry.bucket !== undefined && entry.file_buckets.includes(entry.bucket)) {
      const message = 'must not name the bucket of the batches: requests could read the files of others there';
      context.addIssue({ code: 'custom', path: ['file_buckets'], message });
    }
  });

export type VertexSettings = z.infer<typeof vertexSettings>;

/** The service's address: `global` has no region in its host. */
export function serviceUrl(settings: Pick<VertexSettings, 'base_url' | 'location'>): string {
  const { base_url: configured, location } = settings;
  if (configured !== undefined) return configured.replace(/\/+$/, '');
  return location === 'global' ? 'https://aiplatform.googleapis.com' : `https://${location}-aiplatform.googleapis.com`;
}
