import { z } from 'zod';
import { baseUrl } from '../shared/base-url.ts';
import { commonSettings, modelList, secret } from '../shared/settings.ts';

export const vllmSettings = z.strictObject({
  ...commonSettings,
  /** One or more servers that serve the same models and share the load. */
  base_urls: z
    .array(baseUrl)
    .min(1)
    .refine((urls) => new Set(urls).size === urls.length, 'names a server twice'),
  api_key: secret.optional(),
  models: modelList.optional(),
  /** False: requests that begin alike are spread over the servers as all others are. */
  prefix_affinity: z.boolean().default(true),
  /** `priority` of batch lines that state none: vLLM serves lower ones sooner, SGLang higher ones. */
  batch_priority: z.int().min(-1_000_000).max(1_000_000).optional(),
});

export type VllmSettings = z.infer<typeof vllmSettings>;
