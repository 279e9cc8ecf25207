import { z } from 'zod';
import { baseUrl, refuseOpenHttp } from '../shared/base-url.ts';
import { commonSettings, modelList, secret } from '../shared/settings.ts';
import { defaultBatchLimits } from './limits.ts';

const count = z.int().positive();

/** The characters that Bedrock takes in `s3Uri`. */
const prefix = z
  .string()
  .regex(
    /^[A-Za-z0-9\-!_*'().]+(\/[A-Za-z0-9\-!_*'().]+)*\/?$/,
    "may hold letters, digits, / and -!_*'(). and must not begin with /",
  )
  .refine((text) => !text.split('/').some((segment) => segment === '.' || segment === '..'), 'must not hold . or ..')
  .transform((text) => (text.endsWith('/') ? text : `${text}/`));

const batchLimits = z.strictObject({
  lines: count.default(defaultBatchLimits.lines),
  lines_min: count.default(defaultBatchLimits.linesMin),
  bytes: count.default(defaultBatchLimits.bytes),
  jobs: count.default(defaultBatchLimits.jobs),
});

export const bedrockSettings = z
  .strictObject({
    ...commonSettings,
    region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be an AWS region such as us-east-1'),
    /** Static credentials; absent: the default chain of AWS (environment, profile, role of the machine), on Node. */
    access_key_id: secret.optional(),
    secret_access_key: secret.optional(),
    session_token: secret.optional(),
    models: modelList.optional(),
    /** Application inference profile, or any other name that does not say its model → the model behind it. */
    profiles: z.record(z.string().min(1), z.string().min(1)).default({}),
    /** Batch mode needs both. */
    role_arn: z
      .string()
      .regex(/^arn:aws(-[a-z-]+)?:iam::\d{12}:role\/[\w+=,.@/-]+$/, 'must be the ARN of an IAM role')
      .optional(),
    bucket: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be a bucket's name, without s3://")
      .optional(),
    prefix: prefix.default('weir/'),
    bucket_owner: z
      .string()
      .regex(/^\d{12}$/, 'must be an account id of 12 digits')
      .optional(),
    kms_key_id: z.string().min(1).max(2048).optional(),
    /** Longest run of a job; Bedrock takes 24 to 168. */
    timeout_hours: z.int().min(24).max(168).optional(),
    /** Bedrock documents that batch jobs do not call tools or promise a schema: such lines go to immediate mode. */
    batch_tools: z.enum(['refuse', 'allow']).default('refuse'),
    /** Models whose batch jobs do not take Converse, by the beginning of their ids: jobs ask them in their own form. */
    batch_invoke: z.array(z.string().min(1)).default([]),
    batch_limits: batchLimits.prefault({}),
    /** Claude needs `max_tokens`; this is for requests that state none. */
    default_max_tokens: count.default(4096),
    /** For Cohere embeddings, which must be told what they are for. */
    embedding_input_type: z
      .enum(['search_document', 'search_query', 'classification', 'clustering'])
      .default('search_document'),
    base_url: baseUrl.optional(),
    runtime_endpoint: baseUrl.optional(),
    s3_endpoint: baseUrl.optional(),
    allow_http: z.boolean().optional(),
  })
  .superRefine((entry, context) => {
    for (const path of ['base_url', 'runtime_endpoint', 's3_endpoint'] as const) {
      refuseOpenHttp(entry[path], entry.allow_http, path, context);
    }
    const problem = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if ((entry.access_key_id === undefined) !== (entry.secret_access_key === undefined)) {
      problem('secret_access_key', 'give both access_key_id and secret_access_key, or neither');
    }
    if (entry.session_token !== undefined && entry.access_key_id === undefined) {
      problem('session_token', 'belongs to access_key_id and secret_access_key');
    }
    if ((entry.role_arn === undefined) !== (entry.bucket === undefined)) {
      problem('bucket', 'batch mode needs both role_arn and bucket; immediate mode needs neither');
    }
  });

export type BedrockSettings = z.infer<typeof bedrockSettings>;

/** The host suffix of a region's partition. */
export function domainOf(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
}
