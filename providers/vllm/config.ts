import { z } from 'zod';
import { baseUrl } from '../shared/base-url.ts';
import { versionedBase } from '../shared/openai-endpoints.ts';
import { commonSettings, modelList, secret } from '../shared/settings.ts';

/** One text for all ways to write a server's address; an address that is none is refused elsewhere. */
function sameServer(url: string): string {
  return URL.canParse(url) ? new URL(versionedBase(url)).href.replace(/\/+$/, '') : url;
}

export const vllmSettings = z.strictObject({
  ...commonSettings,
  /** One or more servers that serve the same models and share the load. */
  base_urls: z
    .array(baseUrl)
    .min(1)
    .refine((urls) => new Set(urls.map(sameServer)).size === urls.length, 'names a server twice'),
  api_key: secret.optional(),
  models: modelList.optional(),
  /** False: requests that begin alike are spread over the servers as all others are. */
  prefix_affinity: z.boolean().default(true),
  /** `priority` of batch lines that state none: vLLM serves lower ones sooner, SGLang higher ones. */
  batch_priority: z.int().min(-1_000_000).max(1_000_000).optional(),
});

export type VllmSettings = z.infer<typeof vllmSettings>;
