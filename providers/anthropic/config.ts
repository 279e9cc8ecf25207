import { z } from 'zod';
import { familyNamed, familyNames } from '../shared/anthropic-messages-families.ts';
import { baseUrl, refuseOpenHttp } from '../shared/base-url.ts';
import { commonSettings, modelList, secret } from '../shared/settings.ts';

const familyName = z
  .string()
  .refine((name) => familyNamed(name) !== null, { error: `must be one of ${familyNames.join(', ')}` });

export const anthropicSettings = z
  .strictObject({
    ...commonSettings,
    base_url: baseUrl.default('https://api.anthropic.com'),
    api_key: secret,
    /** Reads the organization's usage and costs, for reconciliation; nothing else is asked with it. */
    admin_key: secret.optional(),
    /** Where usage and costs are asked for; `base_url` by default. */
    usage_url: baseUrl.optional(),
    /** For credentials that may act on several workspaces. */
    workspace_id: secret.optional(),
    /** `anthropic-beta` of every call. */
    betas: z.array(z.string().regex(/^[\w-]+$/, 'must be the name of a beta')).optional(),
    models: modelList.optional(),
    /** Families of models that Weir does not know yet. */
    families: z.record(z.string().min(1), familyName).optional(),
    /** `max_tokens` of requests that name none. */
    default_max_tokens: z.int().positive().optional(),
    allow_http: z.boolean().optional(),
  })
  .superRefine((entry, context) => {
    refuseOpenHttp(entry.base_url, entry.allow_http, 'base_url', context);
    if (entry.usage_url !== undefined) refuseOpenHttp(entry.usage_url, entry.allow_http, 'usage_url', context);
  });

export type AnthropicSettings = z.infer<typeof anthropicSettings>;
