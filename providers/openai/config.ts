import { z } from 'zod';
import { baseUrl, refuseOpenHttp } from '../shared/base-url.ts';
import { batchSetting } from '../shared/openai-batch-settings.ts';
import { commonSettings, modelList, secret } from '../shared/settings.ts';

export const openaiSettings = z
  .strictObject({
    ...commonSettings,
    base_url: baseUrl.default('https://api.openai.com/v1'),
    api_key: secret,
    /** Reads the organization's usage and costs, for reconciliation; nothing else is asked with it. */
    admin_key: secret.optional(),
    /** Where usage and costs are asked for; `base_url` by default. */
    usage_url: baseUrl.optional(),
    organization: secret.optional(),
    project: secret.optional(),
    models: modelList.optional(),
    /** OpenAI's own batch service; used unless false. */
    batch: batchSetting.optional(),
    allow_http: z.boolean().optional(),
  })
  .superRefine((entry, context) => {
    refuseOpenHttp(entry.base_url, entry.allow_http, 'base_url', context);
    if (entry.usage_url !== undefined) refuseOpenHttp(entry.usage_url, entry.allow_http, 'usage_url', context);
  });

export type OpenAISettings = z.infer<typeof openaiSettings>;
